-- One coupon, which is good once.
CREATE TABLE coupons (id BIGINT PRIMARY KEY, used BOOLEAN NOT NULL);
INSERT INTO coupons VALUES (1, false);
