-- The rooms of somebody, by what it is to them. Of no other cells, so that those cost nothing more.
CREATE INDEX cell_affiliation ON cell (key, log) WHERE name = 'affiliation';
