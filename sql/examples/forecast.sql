-- The next six values of every series, with the model that was chosen and its 95 % interval.
SELECT * FROM forecast(sales, timestamp_col => at, data_col => value, id_cols => series, horizon => 6);
