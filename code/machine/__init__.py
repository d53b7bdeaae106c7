"""Reading a machine: processors, memory, accelerators, and captures of them."""
