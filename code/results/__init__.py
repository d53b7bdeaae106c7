"""Results: LoadGen's detail log read, judged, explained, and written as metadata.json and the printed table."""
