-- Two doctors are on call, and one has to stay. Each leaves if the other one is there: write skew.
-- toctou sql --levels write_skew.sql

setup {
  CREATE TABLE doctors (name TEXT PRIMARY KEY, on_call BOOLEAN NOT NULL);
  INSERT INTO doctors VALUES ('ada', true), ('ben', true);
}

session ada {
  BEGIN;
  SELECT count(*) > 1 AS may_leave FROM doctors WHERE on_call \gset
  \if :may_leave
    UPDATE doctors SET on_call = false WHERE name = 'ada';
  \endif
  COMMIT;
}

session ben {
  BEGIN;
  SELECT count(*) > 1 AS may_leave FROM doctors WHERE on_call \gset
  \if :may_leave
    UPDATE doctors SET on_call = false WHERE name = 'ben';
  \endif
  COMMIT;
}

always: SELECT * FROM doctors WHERE on_call
reachable: SELECT * FROM doctors WHERE NOT on_call
