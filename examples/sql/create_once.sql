-- A member is created once: NOT EXISTS looks at what is committed, so two sessions may both find nobody.

setup { CREATE TABLE members (email TEXT NOT NULL); }

session join * 2 {
  INSERT INTO members
    SELECT 'ada' WHERE NOT EXISTS (SELECT 1 FROM members WHERE email = 'ada');
}

never: SELECT email FROM members GROUP BY email HAVING count(*) > 1
reachable: SELECT * FROM members
