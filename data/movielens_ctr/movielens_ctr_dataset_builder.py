"""MovieLens-1M as click records: which movies a user rated, or which of them the user liked."""

from collections.abc import Sequence

import tensorflow_datasets as tfds

from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.fields import Categorical, Multivalued, RawField
from interhat_tf.preprocessing.log_files import log_files, manual_folder

from .pairs import rated_or_not
from .raw_files import GENRES, read_movies, read_ratings, read_users
from .records import chunks_of

SOURCE = "https://grouplens.org/datasets/movielens/1m/"
FILES = ("users", "movies", "ratings")
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
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    users.dat, movies.dat and ratings.dat of {SOURCE}, plain or
    compressed (.gz, .zst). Without a folder, they are downloaded.
    """

    @property
    def fields(self) -> Sequence[RawField]:
        """User, movie, what is known of both, and the genres: a field each, or one of lists."""
        if self.builder_config.name == "pairs":
            return [Categorical(name) for name in FIELDS]
        return [*map(Categorical, ATTRIBUTES), Multivalued("genres")]

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
        samples = rated_or_not(ratings, paths["ratings"])
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
