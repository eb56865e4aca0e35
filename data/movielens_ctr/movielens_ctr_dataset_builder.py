"""MovieLens-1M as click records (Section 4.2.1): who rated which movie, and pairs that did not."""

import dataclasses
import re

import numpy as np
import pyarrow as pa
import tensorflow_datasets as tfds

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.fields import Categorical
from interhat_tf.preprocessing.log_files import log_files, manual_folder, open_content
from interhat_tf.preprocessing.rows import Rows, random_splits

SOURCE = "https://grouplens.org/datasets/movielens/1m/"
FILES = ("users", "movies", "ratings")
URL = "https://files.grouplens.org/datasets/movielens/ml-1m.zip"
SEED = 0
CHUNK_ROWS = 1 << 17

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
FIELDS = ("user", "movie", "gender", "age", "occupation", "year", *GENRES)

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


class Builder(ClickLogBuilder):
    """Builds click records from the ratings of MovieLens-1M."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Ratings, and as many pairs without one."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    users.dat, movies.dat and ratings.dat of {SOURCE}, plain or
    compressed (.gz, .zst). Without a folder, they are downloaded.
    """

    @property
    def fields(self) -> list[Categorical]:
        """User, movie, what is known of both, and a field for each genre."""
        return [Categorical(name) for name in FIELDS]

    def _files(self, folder):
        if not folder.exists():  # they are downloaded
            return []
        return [log_files(folder, [f"{name}.dat"], SOURCE)[0] for name in FILES]

    def _chunks(self, dl_manager):
        folder = manual_folder(dl_manager)
        if not folder.exists():
            folder = _download(dl_manager)
        paths = dict(zip(FILES, self._files(folder), strict=True))
        users, movies = read_users(paths["users"]), read_movies(paths["movies"])
        ratings = read_ratings(paths["ratings"], users, movies)
        pairs, labels = with_negatives(ratings, paths["ratings"])
        rows = range(0, len(pairs), CHUNK_ROWS)
        return [
            Pairs(
                pairs[start : start + CHUNK_ROWS],
                labels[start : start + CHUNK_ROWS],
                start,
                users,
                movies,
                paths["ratings"],
            )
            for start in rows
        ]

    def _read_chunk(self, chunk: "Pairs") -> Rows:
        return chunk.read()


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a user and a movie, and whether the user rated the movie.

    Args:
        pairs: Positions of the user and of the movie in their files, (rows, 2).
        labels: 1 for a rating, 0 for a pair without one, (rows,).
        first_row: Number of the first pair.
        users: The users' table, as `read_users` returns it.
        movies: The movies' table, as `read_movies` returns it.
        source: The ratings' file, for messages.
    """

    pairs: np.ndarray
    labels: np.ndarray
    first_row: int
    users: pa.Table
    movies: pa.Table
    source: str

    @property
    def rows(self) -> int:
        """Number of the pairs."""
        return len(self.pairs)

    def read(self) -> Rows:
        """Returns the pairs' `Rows`."""
        columns = {}
        for table, positions in zip((self.users, self.movies), self.pairs.T, strict=True):
            for name in set(table.column_names) & set(FIELDS):
                columns[name] = table[name].take(pa.array(positions))
        values = pa.table({name: columns[name] for name in FIELDS})
        splits = random_splits(self.first_row, self.rows)
        return Rows(values, self.labels, splits, self.source, first_row=self.first_row)


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
    """Returns the movies' table: `id`, title, year and a column for each genre.

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
        rows.append((movie, title, year[1], *marks))
    return _table(path, ("id", "movie", "year", *GENRES), rows)


def read_ratings(path: str, users: pa.Table, movies: pa.Table) -> np.ndarray:
    """Returns the pairs of positions of user and movie that have a rating, (ratings, 2).

    Raises:
        ValueError: If a line is not a rating, or of an unknown user or movie, or
            a pair is rated twice; the message names it.
    """
    positions = [
        {name: position for position, name in enumerate(table[column].to_pylist())}
        for table, column in ((users, "user"), (movies, "id"))
    ]
    found = {}
    for where, (user, movie, rating, _) in _lines(path, 4, "UserID::MovieID::Rating::Timestamp"):
        if rating not in ("1", "2", "3", "4", "5"):
            raise DataError(f"{where}: the rating is {rating!r}; it can be 1 to 5")
        if user not in positions[0]:
            raise DataError(f"{where}: user {user!r} is not in users.dat")
        if movie not in positions[1]:
            raise DataError(f"{where}: movie {movie!r} is not in movies.dat")
        pair = positions[0][user], positions[1][movie]
        if pair in found:
            raise DataError(f"{where}: user {user} has rated movie {movie} before")
        found[pair] = None
    if not found:
        raise DataError(f"{path}: the file is empty")
    return np.array(list(found), np.int32)


def with_negatives(ratings: np.ndarray, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rated pairs and as many others, in a random order, and their labels.

    The others are different pairs of a user and a movie that occur in the
    ratings, drawn uniformly from those without a rating.

    Args:
        ratings: The rated pairs, (ratings, 2).
        path: The ratings' file, for messages.

    Raises:
        ValueError: If more than half of all pairs have a rating.
    """
    random = np.random.Generator(np.random.PCG64(SEED))
    users, movies = (np.unique(column) for column in ratings.T)
    if 2 * len(ratings) > len(users) * len(movies):
        raise DataError(
            f"{path}: more than half of all pairs are rated; too few are left as negatives"
        )
    base = ratings.max() + 1
    taken = np.unique(ratings[:, 0].astype(np.int64) * base + ratings[:, 1])
    negatives = np.empty(0, np.int64)
    while len(negatives) < len(ratings):
        size = 2 * (len(ratings) - len(negatives)) + 100
        drawn = random.choice(users, size).astype(np.int64) * base + random.choice(movies, size)
        drawn = drawn[~np.isin(drawn, taken)]
        # Kept in the order in which they were drawn, so that none is likelier than another.
        both = np.concatenate([negatives, drawn])
        negatives = both[np.sort(np.unique(both, return_index=True)[1])][: len(ratings)]
    negatives = np.column_stack(np.divmod(negatives, base)).astype(np.int32)
    pairs = np.concatenate([ratings, negatives])
    labels = np.repeat(np.array([1, 0], np.uint8), len(ratings))
    order = random.permutation(len(pairs))
    return pairs[order], labels[order]


def _download(dl_manager):
    """Returns the folder of the original files, downloaded from the address that tfds uses."""
    try:
        return dl_manager.download_and_extract(URL) / "ml-1m"
    except Exception as error:  # a network has many ways to fail
        raise FileNotFoundError(
            f"{URL} could not be downloaded ({error}); get users.dat, movies.dat and ratings.dat "
            f"from {SOURCE} and give their folder as raw_dir"
        ) from error


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
    if len({row[0] for row in rows}) < len(rows):
        raise DataError(f"{path}: the ids are not unique")
    columns = zip(*rows, strict=True)
    return pa.table({name: pa.array(values) for name, values in zip(names, columns, strict=True)})
