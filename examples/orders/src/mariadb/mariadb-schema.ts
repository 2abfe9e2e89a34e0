import { SCHEMA } from '../database/schema.js';

/** A schema is a database here. */
export const CREATE_SCHEMA = `
  create database if not exists ${SCHEMA};
  use ${SCHEMA};
  create table if not exists orders (
    id bigint auto_increment primary key,
    customer text not null check (customer <> ''),
    placed_at datetime(3) not null default (utc_timestamp(3)),
    announced bigint null unique
  ) character set utf8mb4;
  create table if not exists order_lines (
    order_id bigint not null,
    line int not null,
    product text not null check (product <> ''),
    quantity int not null check (quantity > 0),
    price_cents int not null check (price_cents >= 0),
    primary key (order_id, line),
    foreign key (order_id) references orders (id) on delete cascade
  ) character set utf8mb4;
  create table if not exists announcements (
    only_row int primary key check (only_row = 1),
    latest bigint not null
  );
  insert ignore into announcements values (1, 0);
  create table if not exists stock (
    product varchar(200) collate utf8mb4_bin primary key,
    quantity int not null,
    constraint enough_in_stock check (quantity >= 0)
  ) character set utf8mb4;
  insert ignore into stock values ('Lamp', 25)`;

/** To be run when there are no orders. The same as in PostgreSQL. */
export const SEED = `
  insert into orders (id, customer, placed_at)
  select seq, concat('Customer ', seq % 250), utc_timestamp(3) - interval (5000 - seq) * 10 minute
  from seq_1_to_5000;
  insert into order_lines (order_id, line, product, quantity, price_cents)
  select id, seq, concat('Product ', (id * seq) % 40), 1 + (id + seq) % 5, 100 + (id * 37 * seq) % 9900
  from orders join seq_1_to_3 on seq <= 1 + id % 3`;
