"""What people look at: the browser view and film strips."""
