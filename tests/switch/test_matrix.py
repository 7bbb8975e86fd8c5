"""Packets as rows of a matrix and as bytes."""

import numpy as np
import pytest
from cordboard.switch.matrix import LEAST_WIDTH, cut, lay
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.binary(max_size=70), max_size=20))
def test_what_is_laid_is_cut_again(packets: list[bytes]) -> None:
    data, length = lay(packets)
    assert cut(data, length) == packets
    assert data.shape[1] % 4 == 0
    assert data.shape[1] >= LEAST_WIDTH
    assert not data[np.arange(data.shape[1]) >= length[:, None]].any()


@pytest.mark.parametrize("length", [[172] * 3, [172, 12, 100], [6, 6, 6], [0, 0, 0]])
def test_a_part_of_a_wider_matrix_is_cut(length: list[int]) -> None:
    data = np.arange(3 * 200, dtype=np.uint8).reshape(3, 200)
    cuts = cut(data[:, :180], np.array(length, np.int32))
    assert cuts == [data[i, :octets].tobytes() for i, octets in enumerate(length)]
