"""`index.html`: the report as one page that needs no network, for a person who has not seen the code."""
