"""Scores and qualities of trials to log-likelihood ratios.

 * linear logistic regression, in which targets weigh p_target in all,
   however many there are; the prior is taken out of what comes out
 * one score makes a calibration, several a fusion; columns that tell how
   good a trial is, such as its shorter duration, move the ratio
 * a quality comes in as the smaller and the larger of both sides, so that
   enrolment and test can change places
 * a score that says less of a target the higher it is, is refused: it is
   the wrong way round

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import logging
import math
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.logistic import fit_logistic
from speechbrain_moe.scoring.metrics import _check_costs, _checked

logger = logging.getLogger(__name__)


class Calibration(NamedTuple):
    """A linear map from the columns of trials to log-likelihood ratios.

    Arguments
    ---------
    names : tuple of str
        Columns it wants.
    weights : tuple of float
        One per column, in nats per unit of the column.
    offset : float
        In nats.

    Example
    -------
    >>> calibration = Calibration(("cosine",), (20.0,), -5.0)
    >>> calibration.apply({"cosine": [0.25, 0.5]}).tolist()
    [0.0, 5.0]
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    offset: float

    def apply(self, columns: dict) -> np.ndarray:
        """Give the log-likelihood ratio of each trial.

        Arguments
        ---------
        columns : dict of str to array_like
            The columns named in names and no other, finite, [N] each; the
            order of the keys does not matter.

        Returns
        -------
        numpy.ndarray
            Natural logs, above 0 where a target is more likely, [N] float64.

        Raises
        ------
        InputError
            If a column is missing or unknown, lengths differ, or a value is
            NaN or Inf; names the column.

        Example
        -------
        >>> Calibration(("a", "b"), (1.0, 2.0), 0.5).apply({"b": [1], "a": [3]})
        array([5.5])
        """
        _check_names(self.names, columns)
        arrays = _checked_columns({name: columns[name] for name in self.names})
        llrs = np.full(len(arrays[0]), self.offset)
        for weight, values in zip(self.weights, arrays):
            llrs += weight * values
        return llrs

    def to_dict(self) -> dict:
        """Give names and numbers that JSON keeps to the last bit.

        Returns
        -------
        dict
            names, weights and offset.

        Example
        -------
        >>> Calibration(("cosine",), (20.0,), -5.0).to_dict()
        {'names': ('cosine',), 'weights': (20.0,), 'offset': -5.0}
        """
        return self._asdict()

    @classmethod
    def from_dict(cls, stored: dict) -> Calibration:
        """Give back what to_dict stored.

        Arguments
        ---------
        stored : dict
            names, weights and offset; other keys are left alone.

        Returns
        -------
        Calibration
            Equal to the one that was stored.

        Raises
        ------
        InputError
            If a key is missing, a number is not finite, or names and
            weights do not pair; names the key.

        Example
        -------
        >>> calibration = Calibration(("cosine",), (20.0,), -5.0)
        >>> Calibration.from_dict(calibration.to_dict()) == calibration
        True
        """
        for key in cls._fields:
            if key not in stored:
                raise InputError(
                    f"the calibration has no {key}; fit and store it again"
                )
        names = tuple(str(name) for name in stored["names"])
        weights = tuple(_number("weights", w) for w in stored["weights"])
        if len(names) != len(weights) or len(set(names)) != len(names):
            raise InputError(
                f"the calibration has names {list(names)} and "
                f"{len(weights)} weights; wanted one per distinct name"
            )
        return cls(names, weights, _number("offset", stored["offset"]))


def fit_calibration(
    labels,
    columns: dict,
    p_target: float = 0.05,
    score_names=None,
    weights=None,
) -> Calibration:
    """Fit log-likelihood ratios to trials of other speakers than the test's.

    Prior-weighted logistic regression as in Bruemmer et al., "Fusion of
    heterogeneous speaker recognition systems in the STBU submission for the
    NIST speaker recognition evaluation 2006", IEEE TASLP 15(7), 2007;
    quality columns as in Mandasari et al., "Quality measure functions for
    calibration of speaker recognition systems in various duration
    conditions", IEEE TASLP 21(11), 2013. Same trials, same result.

    Arguments
    ---------
    labels : array_like
        1 for target, 0 for nontarget, [N].
    columns : dict of str to array_like
        Scores and qualities by name, finite, [N] each.
    p_target : float
        Prior the fit cares for most, above 0, below 1.
    score_names : sequence of str, optional
        Which columns are scores, more meaning a target. Default: the first.
    weights : array_like, optional
        How much each trial counts within its class, finite, >= 0, [N], for
        instance one over the trials of its speaker. Default: all alike.

    Returns
    -------
    Calibration
        Weights in the units of the columns; 0 for a constant column.

    Raises
    ------
    InputError
        If shapes differ, a value is NaN or Inf, a class is missing,
        p_target is out of range, or no score gets a weight above 0. The
        log warns when only some scores of a fusion do not.

    Example
    -------
    >>> labels, scores = [0, 0, 0, 1, 1, 1], [0.0, 0.1, 0.4, 0.3, 0.6, 0.7]
    >>> calibration = fit_calibration(labels, {"cosine": scores})
    >>> bool(np.all(np.diff(calibration.apply({"cosine": [0, 0.3, 0.6]})) > 0))
    True
    """
    _check_costs(p_target, 1.0, 1.0)
    names = tuple(columns)
    scores = names[:1] if score_names is None else tuple(score_names)
    _check_score_names(scores, names)
    rows = np.stack(_checked_columns(columns), axis=1)
    _checked(labels, rows[:, 0], weights)
    targets = np.asarray(labels) == 1
    slopes, offset = fit_logistic(rows, targets, p_target, weights)
    calibration = Calibration(names, tuple(slopes.tolist()), offset)
    _check_directions(calibration, scores)
    return calibration


def quality_columns(name: str, enrol_values, test_values) -> dict:
    """Turn a quality of both sides into columns that know no sides.

    Arguments
    ---------
    name : str
        Of the quality, for instance log_duration.
    enrol_values, test_values : array_like
        Value of each side of each trial, finite, [N] each.

    Returns
    -------
    dict of str to numpy.ndarray
        name_min and name_max, [N] float64 each.

    Raises
    ------
    InputError
        If lengths differ or a value is NaN or Inf.

    Example
    -------
    >>> quality_columns("snr_db", [5.0, 20.0], [10.0, 15.0])
    {'snr_db_min': array([ 5., 15.]), 'snr_db_max': array([10., 20.])}
    """
    sides = _checked_columns(
        {f"{name} (enrol)": enrol_values, f"{name} (test)": test_values}
    )
    return {
        f"{name}_min": np.minimum(*sides),
        f"{name}_max": np.maximum(*sides),
    }


def _number(key, value):
    """Return a finite float of a stored calibration."""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(
            f"{key} of the calibration holds {value!r}, not a finite number; "
            "fit and store it again"
        )
    return float(value)


def _check_names(names, columns):
    """Refuse columns other than those that were fitted."""
    if set(columns) != set(names):
        raise InputError(
            f"columns {list(columns)} given; the calibration was fitted on "
            f"{list(names)}, give those and no other"
        )


def _check_score_names(scores, names):
    """Refuse to fit without columns or without a score among them."""
    unknown = [name for name in scores if name not in names]
    if unknown or not scores:
        raise InputError(
            f"score_names {list(scores)} with columns {list(names)}; give at "
            "least one column and name one or more of them as scores"
        )


def _check_directions(calibration, scores):
    """Refuse scores of which none counts for a target; warn of some."""
    weights = dict(zip(calibration.names, calibration.weights))
    wrong = [name for name in scores if weights[name] <= 0.0]
    if len(wrong) == len(scores):
        raise InputError(
            f"no score gets a weight above 0 ({wrong}): they are the wrong "
            "way round or say nothing; turn their sign, or mend the labels"
        )
    if wrong:
        logger.warning(
            "scores %s get weights of 0 or below; leave them out", wrong
        )


def _checked_columns(columns):
    """Return the columns as float64, all of one length and finite."""
    arrays = [np.asarray(v, dtype=np.float64) for v in columns.values()]
    for name, values in zip(columns, arrays):
        if values.ndim != 1 or values.shape != arrays[0].shape:
            raise InputError(
                f"column {name} has shape {values.shape}, the first "
                f"{arrays[0].shape}; give one value per trial, [N]"
            )
        finite = np.isfinite(values)
        if not finite.all():
            first = int(np.argmin(finite))
            raise InputError(
                f"column {name} is {values[first]} at trial {first}; values "
                "must be finite, look for silent or broken files"
            )
    return arrays
