-- One statement looks and takes. The second session waits for the first one, and its WHERE is looked at again.

setup {
  CREATE TABLE coupons (id INT PRIMARY KEY, used INT NOT NULL);
  INSERT INTO coupons VALUES (1, 0);
}

session redeem * 3 {
  UPDATE coupons SET used = used + 1 WHERE id = 1 AND used = 0;
}

never: SELECT * FROM coupons WHERE used > 1
finally: SELECT * FROM coupons WHERE used = 1
