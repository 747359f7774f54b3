"""What each kind of event makes of the state: pure steps, a file for each subject. `evolve` calls them."""
