-- The coupon's row is locked before anybody looks: the second session waits, and sees that it is used.

setup {
  CREATE TABLE coupons (id INT PRIMARY KEY, used INT NOT NULL);
  INSERT INTO coupons VALUES (1, 0);
}

session redeem * 2 {
  BEGIN;
  SELECT used = 0 AS free FROM coupons WHERE id = 1 FOR UPDATE \gset
  \if :free
    UPDATE coupons SET used = used + 1 WHERE id = 1;
  \endif
  COMMIT;
}

never: SELECT * FROM coupons WHERE used > 1
finally: SELECT * FROM coupons WHERE used = 1
