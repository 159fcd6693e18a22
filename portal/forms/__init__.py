"""What browsers send us: one file per noun."""
