"""A shop: customers, orders, their lines, products, reviews."""

from __future__ import annotations

from tests.index_advice.foreign import Foreign, numbers
from tests.index_advice.mutant import POSTGRESQL, SQLITE, Mutant
from tests.seeds.index_faults import index_anew

TABLES = (
    "CREATE TABLE customers (id integer PRIMARY KEY, email text NOT NULL UNIQUE,"
    " name text NOT NULL, country text NOT NULL)",
    "CREATE TABLE products (id integer PRIMARY KEY, sku text NOT NULL UNIQUE, name text NOT NULL,"
    " category text NOT NULL, price_cents integer NOT NULL)",
    "CREATE TABLE orders (id integer PRIMARY KEY,"
    " customer_id integer NOT NULL REFERENCES customers (id), placed date NOT NULL,"
    " state text NOT NULL, total_cents integer NOT NULL)",
    "CREATE TABLE lines (order_id integer NOT NULL REFERENCES orders (id) ON DELETE CASCADE,"
    " place integer NOT NULL, product_id integer NOT NULL REFERENCES products (id),"
    " quantity integer NOT NULL, PRIMARY KEY (order_id, place))",
    "CREATE TABLE reviews (id integer PRIMARY KEY,"
    " product_id integer NOT NULL REFERENCES products (id),"
    " customer_id integer NOT NULL REFERENCES customers (id), stars integer NOT NULL,"
    " written date NOT NULL)",
)
INDEXES = (
    "CREATE INDEX ix_products_category ON products (category, price_cents)",
    "CREATE INDEX ix_orders_customer ON orders (customer_id, placed)",
    "CREATE INDEX ix_orders_open ON orders (placed) WHERE state = 'open'",
    "CREATE INDEX ix_lines_product ON lines (product_id)",
    "CREATE INDEX ix_reviews_product ON reviews (product_id, written)",
    "CREATE INDEX ix_reviews_customer ON reviews (customer_id)",
)
ROWS = (
    "INSERT INTO customers SELECT i, 'c' || i || '@example.org', 'Customer ' || i,"
    f" CASE i % 5 WHEN 0 THEN 'AT' WHEN 1 THEN 'CH' ELSE 'DE' END FROM {numbers(5_000)}",
    "INSERT INTO products SELECT i, 'sku-' || i, 'Product ' || i, 'category ' || (i % 25),"
    f" 100 + i * 37 % 9000 FROM {numbers(12_000)}",
    "INSERT INTO orders SELECT i, 1 + i * 11 % 5000, {day:i % 600},"
    f" CASE WHEN i % 25 = 0 THEN 'open' ELSE 'sent' END, 1000 + i % 900 FROM {numbers(25_000)}",
    "INSERT INTO lines SELECT 1 + (i - 1) / 2, 1 + i % 2, 1 + i * 29 % 12000, 1 + i % 3"
    f" FROM {numbers(50_000)}",
    "INSERT INTO reviews SELECT i, 1 + i % 60, 1 + i * 7 % 5000, 1 + i % 5, {day:i % 600}"
    f" FROM {numbers(20_000)}",
)
QUERIES = {
    "customer_by_email": "SELECT id, name FROM customers WHERE email = $1",
    "product_by_sku": "SELECT id, name, price_cents FROM products WHERE sku = $1",
    "cheapest_of_category": (
        "SELECT id, name, price_cents FROM products WHERE category = $1"
        " ORDER BY price_cents LIMIT 24"
    ),
    "orders_of_customer": (
        "SELECT id, placed, total_cents FROM orders WHERE customer_id = $1"
        " ORDER BY placed DESC LIMIT 10"
    ),
    "open_orders": (
        "SELECT id, customer_id FROM orders WHERE state = 'open' ORDER BY placed LIMIT 100"
    ),
    "lines_of_order": (
        "SELECT l.place, p.name, l.quantity FROM lines AS l"
        " JOIN products AS p ON p.id = l.product_id WHERE l.order_id = $1 ORDER BY l.place"
    ),
    "who_bought": "SELECT order_id, quantity FROM lines WHERE product_id = $1",
    "reviews_of_product": (
        "SELECT id, stars, written FROM reviews WHERE product_id = $1"
        " ORDER BY written DESC LIMIT 20"
    ),
    "reviews_of_customer": "SELECT id, product_id, stars FROM reviews WHERE customer_id = $1",
    "send": "UPDATE orders SET state = 'sent' WHERE id = $1",
    "cancel": "DELETE FROM orders WHERE id = $1",
    "forget_customer": "DELETE FROM customers WHERE id = $1",
    "take_off_sale": "DELETE FROM products WHERE id = $1",
}

FAULTS = (
    Mutant(
        name="shop-lines-without-their-product",
        family="foreign key without an index",
        why="Each product that goes off sale reads all lines.",
        ddl=("DROP INDEX ix_lines_product",),
        table="lines",
        expects=("foreign_key_unindexed", "table_scanned", "index_missing"),
    ),
    Mutant(
        name="shop-returns-without-their-order",
        family="foreign key without an index",
        why="Each order that is cancelled reads all returns.",
        ddl=(
            "CREATE TABLE returns (id integer PRIMARY KEY,"
            " order_id integer NOT NULL REFERENCES orders (id), reason text NOT NULL)",
            f"INSERT INTO returns SELECT i, 1 + i % 25000, 'too small' FROM {numbers(15_000)}",
            "ANALYZE returns",
        ),
        table="returns",
        expects=("foreign_key_unindexed",),
    ),
    Mutant(
        name="shop-orders-of-a-customer-twice",
        family="duplicate",
        why="Two indexes of the same columns.",
        ddl=("CREATE INDEX orders_customer_idx ON orders (customer_id, placed)",),
        table="orders",
        index="orders_customer_idx",
        also=("ix_orders_customer",),
        expects=("index_duplicate",),
        harmless=("index_unneeded", "index_prefix", "index_unused"),
    ),
    Mutant(
        name="shop-lines-of-an-order-twice",
        family="prefix",
        why="The primary key begins with the order.",
        ddl=("CREATE INDEX ix_lines_order ON lines (order_id)",),
        table="lines",
        index="ix_lines_order",
        expects=("index_prefix", "index_duplicate"),
        harmless=("index_unneeded", "index_unused"),
    ),
    Mutant(
        name="shop-no-index-for-customers",
        family="index dropped",
        why="A customer's page reads all orders.",
        ddl=("DROP INDEX ix_orders_customer",),
        table="orders",
        expects=("index_missing", "table_scanned", "foreign_key_unindexed"),
        harmless=("rows_sorted",),
    ),
    Mutant(
        name="shop-no-index-for-open-orders",
        family="index dropped",
        why="The packers' list reads all orders that there ever were.",
        ddl=("DROP INDEX ix_orders_open",),
        table="orders",
        expects=("index_missing", "table_scanned"),
        harmless=("rows_sorted",),
    ),
    Mutant(
        name="shop-reviews-without-their-day",
        family="index shortened",
        why="330 reviews of a product are sorted to show 20.",
        ddl=index_anew("ix_reviews_product", "reviews (product_id)"),
        table="reviews",
        expects=("rows_sorted", "index_missing"),
        harmless=("index_unneeded", "index_prefix"),
    ),
    Mutant(
        name="shop-prices-before-categories",
        family="columns reordered",
        why="The cheapest of one category are looked for among the cheapest of all.",
        ddl=index_anew("ix_products_category", "products (price_cents, category)"),
        table="products",
        expects=("index_column_order", "index_missing", "table_scanned"),
        harmless=("rows_sorted", "index_unneeded", "index_cannot_serve"),
    ),
    Mutant(
        name="shop-reviews-near-their-end",
        family="key near its end",
        why="At the last number nobody can write a review.",
        postgresql=(
            "CREATE SEQUENCE reviews_id_seq OWNED BY reviews.id",
            "ALTER TABLE reviews ALTER COLUMN id SET DEFAULT nextval('reviews_id_seq')",
            "SELECT setval('reviews_id_seq', 2120000000)",
        ),
        table="reviews",
        expects=("key_near_end",),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="shop-vouchers-at-their-end",
        family="key near its end",
        why="AUTOINCREMENT never takes a number twice.",
        ddl=(
            "CREATE TABLE vouchers (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT)",
            "INSERT INTO vouchers VALUES (9100000000000000000, 'summer')",
        ),
        table="vouchers",
        expects=("key_near_end",),
        engines=SQLITE,
    ),
)
SOUND = (
    Mutant(
        name="shop-with-wishes",
        family="nobody asks",
        why="Somebody's new table, whose references have their indexes.",
        ddl=(
            "CREATE TABLE wishes (customer_id integer NOT NULL REFERENCES customers (id),"
            " product_id integer NOT NULL REFERENCES products (id),"
            " PRIMARY KEY (customer_id, product_id))",
            "CREATE INDEX ix_wishes_product ON wishes (product_id)",
        ),
        table="wishes",
        expects=("index_unneeded", "index_unused"),
    ),
)

SHOP = Foreign(
    name="shop",
    tables=TABLES,
    indexes=INDEXES,
    rows=ROWS,
    queries=QUERIES,
    faults=FAULTS,
    harmless=SOUND,
)
