"""SQLAlchemy's Core and ORM make, change and read tables, by psycopg 2, psycopg 3 and asyncpg."""

import asyncio
import datetime as dt
import decimal
import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import create_async_engine

DRIVERS = ["psycopg2", "psycopg", "pg8000"]


def models(linked):
    class Base(orm.DeclarativeBase):
        pass

    class Author(Base):
        __tablename__ = "author"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        name: orm.Mapped[str] = orm.mapped_column(sa.String(50), unique=True)
        born: orm.Mapped[dt.date | None]
        books: orm.Mapped[list["Book"]] = orm.relationship(
            back_populates="author", cascade="all, delete-orphan", order_by="Book.id",
            primaryjoin="Author.id == foreign(Book.author_id)",
        )

    class Book(Base):
        __tablename__ = "book"
        id: orm.Mapped[int] = orm.mapped_column(sa.Identity(), primary_key=True)
        key: orm.Mapped[uuid.UUID] = orm.mapped_column(default=uuid.uuid4)
        author_id: orm.Mapped[int] = orm.mapped_column(*([sa.ForeignKey("author.id")] if linked else []))
        title: orm.Mapped[str]
        price: orm.Mapped[decimal.Decimal] = orm.mapped_column(sa.Numeric(8, 2))
        tags: orm.Mapped[list[str] | None] = orm.mapped_column(pg.ARRAY(sa.Text))
        facts: orm.Mapped[dict | None] = orm.mapped_column(pg.JSONB)
        printed: orm.Mapped[dt.datetime] = orm.mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())
        cover: orm.Mapped[bytes | None]
        author: orm.Mapped[Author] = orm.relationship(
            back_populates="books", primaryjoin="Author.id == foreign(Book.author_id)"
        )

    return Base, Author, Book


@pytest.fixture(params=DRIVERS)
def engine(db, request):
    engine = sa.create_engine(db.url(f"postgresql+{request.param}"))
    yield engine
    engine.dispose()


def round_trip(engine, linked):
    Base, Author, Book = models(linked)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        ann = Author(name="ann", born=dt.date(1990, 1, 1))
        ann.books = [
            Book(title="one", price=decimal.Decimal("9.50"), tags=["a", "b"], facts={"pages": 100}, cover=b"\x00"),
            Book(title="two", price=decimal.Decimal("20"), tags=None, facts={"pages": 50, "x": [1]}),
        ]
        session.add_all([ann, Author(name="bob")])
        session.commit()
        assert ann.id == 1 and [book.id for book in ann.books] == [1, 2]
        assert ann.books[0].printed.tzinfo is not None
    with orm.Session(engine) as session:
        found = session.scalars(sa.select(Author).options(orm.selectinload(Author.books)).order_by(Author.id)).all()
        assert [(a.name, [b.title for b in a.books]) for a in found] == [("ann", ["one", "two"]), ("bob", [])]
        joined = session.execute(
            sa.select(Author.name, sa.func.count(Book.id), sa.func.sum(Book.price))
            .outerjoin(Author.books).group_by(Author.name).order_by(Author.name)
        ).all()
        assert joined == [("ann", 2, decimal.Decimal("29.50")), ("bob", 0, None)]
        assert session.scalar(sa.select(Book.title).where(Book.facts["pages"].as_integer() > 60)) == "one"
        assert session.scalar(sa.select(Book.title).where(Book.tags.any("b"))) == "one"
        assert session.scalar(sa.select(Book.title).where(Book.title.in_(["two", "three"]))) == "two"
        newest = sa.select(Book.title, sa.func.row_number().over(order_by=Book.price.desc()).label("place")).subquery()
        assert session.execute(sa.select(newest.c.title).where(newest.c.place == 1)).scalar_one() == "two"
        exists = sa.select(Author.name).where(~sa.exists().where(Book.author_id == Author.id))
        assert session.scalars(exists).all() == ["bob"]
        found[0].books[0].title = "first"
        found[0].books[1].facts = {"pages": 51}
        session.delete(found[1])
        session.flush()
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.add(Author(name="ann"))
            session.flush()
        session.commit()
        assert session.scalars(sa.select(Book.title).order_by(Book.id)).all() == ["first", "two"]
        session.execute(sa.update(Book).where(Book.id == 2).values(price=Book.price + 1))
        removed = session.execute(sa.delete(Book).where(Book.price > 20).returning(Book.title)).scalars().all()
        session.commit()
        assert removed == ["two"]
    Base.metadata.drop_all(engine)


def test_orm_round_trip(engine):
    round_trip(engine, linked=False)


def test_orm_round_trip_with_a_foreign_key(engine):
    round_trip(engine, linked=True)


def test_every_type_goes_and_comes_back(engine, same):
    table = sa.Table(
        "typed", sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("small", sa.SmallInteger), sa.Column("big", sa.BigInteger), sa.Column("real", sa.REAL),
        sa.Column("double", sa.Double), sa.Column("exact", sa.Numeric(20, 5)), sa.Column("text", sa.Text),
        sa.Column("code", sa.CHAR(4)), sa.Column("flag", sa.Boolean), sa.Column("day", sa.Date), sa.Column("clock", sa.Time),
        sa.Column("moment", sa.DateTime), sa.Column("span", sa.Interval), sa.Column("key", sa.Uuid), sa.Column("doc", sa.JSON),
        sa.Column("bytes", sa.LargeBinary), sa.Column("many", sa.ARRAY(sa.Integer)),
    )
    table.drop(engine, checkfirst=True)
    table.create(engine)
    row = (1, 2, 2**40, 0.5, 1e100, decimal.Decimal("1.50000"), "ü", "ab  ", True, dt.date(2024, 1, 1), dt.time(1, 2, 3),
           dt.datetime(2024, 1, 1, 1, 1), dt.timedelta(days=2, seconds=1), uuid.UUID(int=1), {"a": None}, b"\x00\x01", [1, 2])
    with engine.begin() as connection:
        connection.execute(table.insert().values(row))
        connection.execute(table.insert(), [{"id": n, "text": str(n)} for n in range(2, 50)])
        found = connection.execute(table.select().where(table.c.id == 1)).one()
        assert tuple(found) == row
        assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 49
    reflected = sa.Table("typed", sa.MetaData(), autoload_with=engine)
    same([repr(column.type) for column in reflected.columns])


def test_insert_many_returns_keys_in_order(engine):
    table = sa.Table("keyed", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("word", sa.Text))
    table.drop(engine, checkfirst=True)
    table.create(engine)
    with engine.begin() as connection:
        found = connection.execute(
            sa.insert(table).returning(table.c.id, table.c.word, sort_by_parameter_order=True), [{"word": str(n)} for n in range(1500)]
        ).all()
    assert found == [(n + 1, str(n)) for n in range(1500)]


def test_upsert(engine):
    table = sa.Table("counted", sa.MetaData(), sa.Column("word", sa.Text, primary_key=True), sa.Column("n", sa.Integer))
    table.drop(engine, checkfirst=True)
    table.create(engine)
    insert = pg.insert(table)
    with engine.begin() as connection:
        for _ in range(3):
            connection.execute(
                insert.on_conflict_do_update(index_elements=["word"], set_={"n": table.c.n + insert.excluded.n}), {"word": "a", "n": 2}
            )
        connection.execute(insert.on_conflict_do_nothing(), {"word": "a", "n": 100})
        assert connection.execute(table.select()).all() == [("a", 6)]


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_isolation_levels(engine, same, level):
    with engine.connect().execution_options(isolation_level=level) as connection:
        same((connection.get_isolation_level(), connection.execute(sa.text("SHOW transaction_isolation")).scalar()))


def test_rows_are_streamed(engine):
    if engine.driver == "pg8000":
        pytest.skip("pg8000 has no cursors of the server")
    with engine.connect().execution_options(stream_results=True, max_row_buffer=100) as connection:
        rows = connection.execute(sa.text("SELECT n FROM generate_series(1, 1000) AS n"))
        assert sum(sum(row.n for row in part) for part in rows.partitions(64)) == 500500


def test_schema_translation_and_ddl(engine):
    metadata = sa.MetaData()
    table = sa.Table("moved", metadata, sa.Column("a", sa.Integer, comment="an a"), schema="tenant", comment="a table")
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("other", if_not_exists=True))
        connection = connection.execution_options(schema_translate_map={"tenant": "other"})
        table.drop(connection, checkfirst=True)
        table.create(connection)
        connection.execute(table.insert().values(a=1))
        assert connection.execute(sa.select(table)).all() == [(1,)]
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema("other", cascade=True))


def test_connection_pool_checks_its_connections(db):
    engine = sa.create_engine(db.url("postgresql+psycopg2"), pool_pre_ping=True, pool_size=2)
    for number in range(5):
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT :n + 1"), {"n": number}).scalar() == number + 1
    engine.dispose()


def test_asyncpg_engine(db):
    async def body():
        engine = create_async_engine(db.url("postgresql+asyncpg"))
        async with engine.begin() as connection:
            rows = await connection.execute(sa.select(sa.literal(5), sa.literal("x"), sa.literal(dt.date(2024, 1, 1))))
            row = rows.one()
        async with engine.connect() as connection:
            stream = await connection.stream(sa.text("SELECT n FROM generate_series(1, 500) AS n"))
            total = sum([found.n async for found in stream])
        await engine.dispose()
        return tuple(row), total

    assert asyncio.run(body()) == ((5, "x", dt.date(2024, 1, 1)), 125250)
