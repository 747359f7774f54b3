"""What a past period would have been under other settings: of a journal, or of a file of fills."""
