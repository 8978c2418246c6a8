-- What somebody has in rooms, by whose it is: it goes with the account. Of no other cells.
CREATE INDEX cell_room ON cell (key, log) WHERE name = 'room';
