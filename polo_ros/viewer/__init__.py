"""Pictures and pages: the browser view, film strips and plots."""
