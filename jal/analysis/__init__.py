"""Tables and figures out of Records. Nothing here trains; pandas and matplotlib are imported here alone."""
