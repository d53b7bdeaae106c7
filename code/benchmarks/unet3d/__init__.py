"""3D-UNet's room: segmentation of kidneys and their tumours on KiTS19."""
