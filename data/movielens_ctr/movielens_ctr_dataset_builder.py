"""MovieLens-1M as click records: which movies a user rated, or which of them the user liked."""

from collections.abc import Sequence

import tensorflow_datasets as tfds

from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.fields import Categorical, Multivalued, RawField, Sequential
from interhat_tf.preprocessing.log_files import manual_folder

from .likes import MAX_HISTORY, liked_or_not
from .pairs import rated_or_not
from .raw_files import GENRES, SOURCE, raw_files, read_movies, read_ratings, read_users
from .records import chunks_of

URL = "https://files.grouplens.org/datasets/movielens/ml-1m.zip"

ATTRIBUTES = ("user", "movie", "gender", "age", "occupation", "year")
FIELDS = (*ATTRIBUTES, *GENRES)


class Builder(ClickLogBuilder):
    """Builds click records from the ratings of MovieLens-1M."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Ratings, and as many pairs without one."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(
            name="pairs", description="The paper's 24 fields: rated pairs, and as many others."
        ),
        tfds.core.BuilderConfig(
            name="genres", description="The same records; the genres are one multivalued field."
        ),
        tfds.core.BuilderConfig(
            name="history", description="Which rated movies a user liked, after which others."
        ),
        tfds.core.BuilderConfig(
            name="no_history", description="The records of `history`, without what was before."
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    users.dat, movies.dat and ratings.dat of {SOURCE}, plain or
    compressed (.gz, .zst). Without a folder, they are downloaded.
    """

    @property
    def fields(self) -> Sequence[RawField]:
        """User, movie, what is known of both, the genres, and what the user liked before."""
        config = self.builder_config.name
        if config == "pairs":
            return [Categorical(name) for name in FIELDS]
        history = Sequential("history", shares="movie", max_length=MAX_HISTORY)
        return [
            *map(Categorical, ATTRIBUTES),
            Multivalued("genres"),
            *([history] if config == "history" else []),
        ]

    def _files(self, folder):
        if not folder.exists():  # they are downloaded
            return []
        return list(raw_files(folder).values())

    def _chunks(self, dl_manager):
        folder = manual_folder(dl_manager)
        if not folder.exists():
            folder = _download(dl_manager)
        paths = raw_files(folder)
        users, movies = read_users(paths["users"]), read_movies(paths["movies"])
        ratings = read_ratings(paths["ratings"], users, movies)
        in_time = self.builder_config.name in ("history", "no_history")
        samples = liked_or_not(ratings) if in_time else rated_or_not(ratings, paths["ratings"])
        names = [field.name for field in self.fields]
        return chunks_of(samples, names, users, movies, paths["ratings"])

    def _read_chunk(self, chunk):
        return chunk.read()


def _download(dl_manager):
    """Returns the folder of the original files, downloaded from the address that tfds uses."""
    try:
        return dl_manager.download_and_extract(URL) / "ml-1m"
    except Exception as error:  # a network has many ways to fail
        raise FileNotFoundError(
            f"{URL} could not be downloaded ({error}); get users.dat, movies.dat and ratings.dat "
            f"from {SOURCE} and give their folder as raw_dir"
        ) from error
