"""Takes in data of others. `csv_rows` reads files, a `…_rows` module says what a row means, and the
module of the data set writes it down."""
