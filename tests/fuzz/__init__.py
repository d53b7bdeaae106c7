"""What strangers write, at random: each example is a good file of some kind, harmed in a few places."""
