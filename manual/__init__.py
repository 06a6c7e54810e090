"""What the site holds besides the pages in docs/: made at the build, from the code."""
