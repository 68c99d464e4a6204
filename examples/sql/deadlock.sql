-- Two transfers lock two accounts in opposite orders: PostgreSQL fails one of them (40P01), and its client
-- does not try again.

setup {
  CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL);
  INSERT INTO accounts VALUES (1, 100), (2, 100);
}

session there {
  BEGIN;
  UPDATE accounts SET balance = balance - 10 WHERE id = 1;
  UPDATE accounts SET balance = balance + 10 WHERE id = 2;
  COMMIT;
}

session back {
  BEGIN;
  UPDATE accounts SET balance = balance - 20 WHERE id = 2;
  UPDATE accounts SET balance = balance + 20 WHERE id = 1;
  COMMIT;
}

always: SELECT 1 FROM accounts HAVING sum(balance) = 200
finally: SELECT * FROM accounts WHERE id = 1 AND balance = 110
