"""What things are: frozen records without behaviour that could change them."""
