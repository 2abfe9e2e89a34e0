/** A schema of its own, so that the shop can be a guest in any database. */
export const SCHEMA = 'nestjs_pool_orders';

export const CREATE_SCHEMA = `
  create schema if not exists ${SCHEMA};
  set local search_path to ${SCHEMA};
  create table if not exists orders (
    id bigint generated always as identity primary key,
    customer text not null check (customer <> ''),
    placed_at timestamptz not null default now()
  );
  create table if not exists order_lines (
    order_id bigint not null references orders on delete cascade,
    line int not null,
    product text not null check (product <> ''),
    quantity int not null check (quantity > 0),
    price_cents int not null check (price_cents >= 0),
    primary key (order_id, line)
  );
  create table if not exists stock (
    product text primary key,
    quantity int not null constraint enough_in_stock check (quantity >= 0)
  );
  insert into stock values ('Lamp', 25) on conflict do nothing`;

export const SEED = `
  with seeded as (
    insert into orders (customer, placed_at)
    select 'Customer ' || n % 250, now() - (5000 - n) * interval '10 minutes'
    from generate_series(1, 5000) as n
    where not exists (select from orders)
    returning id
  ), lines as (
    insert into order_lines (order_id, line, product, quantity, price_cents)
    select id, line, 'Product ' || (id * line) % 40, 1 + (id + line) % 5, 100 + (id * 37 * line) % 9900
    from seeded cross join generate_series(1, 3) as line
    where line <= 1 + id % 3
  )
  select count(*)::int as orders from seeded`;
