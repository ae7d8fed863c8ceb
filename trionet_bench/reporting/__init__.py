"""Records to tables, figures and one HTML page. A kind of table or figure is one entry of a list."""
