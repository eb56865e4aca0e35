"""The files of MovieLens-1M: users, movies and ratings, a line each."""

import os
import re

import numpy as np
import pyarrow as pa

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.log_files import log_files, open_content

SOURCE = "https://grouplens.org/datasets/movielens/1m/"
FILES = ("users", "movies", "ratings")
GENRES = (
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
# The meaning of the codes in the README of MovieLens-1M.
GENDERS = {"F": "female", "M": "male"}
AGES = {
    "1": "under 18",
    "18": "18-24",
    "25": "25-34",
    "35": "35-44",
    "45": "45-49",
    "50": "50-55",
    "56": "56 or older",
}
OCCUPATIONS = dict(
    enumerate(
        (
            "other",
            "academic or educator",
            "artist",
            "clerical or admin",
            "college or grad student",
            "customer service",
            "doctor or health care",
            "executive or managerial",
            "farmer",
            "homemaker",
            "K-12 student",
            "lawyer",
            "programmer",
            "retired",
            "sales or marketing",
            "scientist",
            "self-employed",
            "technician or engineer",
            "tradesman or craftsman",
            "unemployed",
            "writer",
        )
    )
)


def raw_files(folder: str | os.PathLike) -> dict[str, str]:
    """Returns the paths of the files of users, movies and ratings in a folder, by these names.

    Raises:
        FileNotFoundError: If one is missing.
    """
    return {name: log_files(folder, [f"{name}.dat"], SOURCE)[0] for name in FILES}


def read_users(path: str) -> pa.Table:
    """Returns the users' table: their fields as readable text.

    Raises:
        ValueError: If a line is not a user; the message names it.
    """
    rows = []
    for where, values in _lines(path, 5, "UserID::Gender::Age::Occupation::Zip-code"):
        user, gender, age, occupation, _ = values
        if gender not in GENDERS:
            raise DataError(f"{where}: gender is {gender!r}; it can be {', '.join(GENDERS)}")
        if age not in AGES:
            raise DataError(f"{where}: age is {age!r}; it can be {', '.join(AGES)}")
        if not occupation.isdigit() or int(occupation) not in OCCUPATIONS:
            raise DataError(f"{where}: occupation is {occupation!r}; it can be 0 to 20")
        rows.append((user, GENDERS[gender], AGES[age], OCCUPATIONS[int(occupation)]))
    return _table(path, ("user", "gender", "age", "occupation"), rows)


def read_movies(path: str) -> pa.Table:
    """Returns the movies' table: `id`, title, year, `genres`, and a column for each genre.

    Raises:
        ValueError: If a line is not a movie; the message names it.
    """
    rows = []
    for where, (movie, title, genres) in _lines(path, 3, "MovieID::Title::Genres"):
        year = re.search(r"\((\d{4})\)\s*$", title)
        if not year:
            raise DataError(f"{where}: the title {title!r} does not end in a year, as in (1999)")
        genres = genres.split("|")
        if unknown := set(genres) - set(GENRES):
            raise DataError(f"{where}: {', '.join(sorted(unknown))}: not of the 18 genres")
        marks = (genre if genre in genres else f"not {genre}" for genre in GENRES)
        rows.append((movie, title, year[1], genres, *marks))
    return _table(path, ("id", "movie", "year", "genres", *GENRES), rows)


def read_ratings(path: str, users: pa.Table, movies: pa.Table) -> np.ndarray:
    """Returns the ratings in the order of the file: user, movie, stars and time.

    Returns:
        (ratings, 4) int64: the positions of user and movie in their tables, 1 to 5, and
        the seconds that the file has, or whatever else orders a user's ratings.

    Raises:
        ValueError: If a line is not a rating, or of an unknown user or movie, or
            a pair is rated twice; the message names it.
    """
    positions = [
        {name: position for position, name in enumerate(table[column].to_pylist())}
        for table, column in ((users, "user"), (movies, "id"))
    ]
    found = {}
    for where, values in _lines(path, 4, "UserID::MovieID::Rating::Timestamp"):
        user, movie, rating, time = values
        if rating not in ("1", "2", "3", "4", "5"):
            raise DataError(f"{where}: the rating is {rating!r}; it can be 1 to 5")
        if user not in positions[0]:
            raise DataError(f"{where}: user {user!r} is not in users.dat")
        if movie not in positions[1]:
            raise DataError(f"{where}: movie {movie!r} is not in movies.dat")
        if not re.fullmatch(r"\d{1,18}", time, re.ASCII):
            raise DataError(f"{where}: the time is {time!r}; it is a number of seconds")
        pair = positions[0][user], positions[1][movie]
        if pair in found:
            raise DataError(f"{where}: user {user} has rated movie {movie} before")
        found[pair] = int(rating), int(time)
    if not found:
        raise DataError(f"{path}: the file is empty")
    return np.array([(*pair, *rest) for pair, rest in found.items()], np.int64)


def _lines(path, count, form):
    """Yields each line's file and number, and its values."""
    with open_content(path) as stream:
        text = stream.read().decode("latin-1")
    # Not `splitlines`, which would split at more than line ends: a title may hold any byte.
    lines = text.removesuffix("\n").split("\n") if text else []
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        values = line.split("::")
        if len(values) != count:
            raise DataError(f"{path}:{number}: {line!r} is not of the form {form}")
        yield f"{path}:{number}", values


def _table(path, names, rows):
    """Returns rows as a table; the values of the first column have to be unique."""
    if not rows:
        raise DataError(f"{path}: the file is empty")
    known = set()
    for number, (first, *_) in enumerate(rows, 1):  # a line has a row
        if first in known:
            raise DataError(f"{path}:{number}: {names[0]} {first} occurs twice; keep one line")
        known.add(first)
    columns = zip(*rows, strict=True)
    return pa.table({name: pa.array(values) for name, values in zip(names, columns, strict=True)})
