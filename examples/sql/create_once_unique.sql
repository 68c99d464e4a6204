-- A unique key beside it: the second session waits for the first, and is told 23505 or finds the member.

setup { CREATE TABLE members (email TEXT PRIMARY KEY); }

session join * 2 {
  INSERT INTO members
    SELECT 'ada' WHERE NOT EXISTS (SELECT 1 FROM members WHERE email = 'ada');
}

never: SELECT email FROM members GROUP BY email HAVING count(*) > 1
finally: SELECT * FROM members
