"""3D-UNet: segmentation of kidneys and their tumours on KiTS19."""
