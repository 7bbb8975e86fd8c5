"""A far side whose Contact is a name: the real sipp, which the ACK and the BYE have to find by the system's hosts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .product import Organisation, Product, free_port, until
from .robot import Robot
from .test_registration import stands
from .test_sip import OURS

pytestmark = [
    pytest.mark.long,
    pytest.mark.peer("sipp"),
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed"),
]


def test_the_ack_and_the_bye_go_where_the_name_of_a_contact_leads(tmp_path: Path) -> None:
    port, said = free_port(), tmp_path / "said.txt"
    command = ["sipp", "-sf", str(OURS / "named.xml"), "-i", "127.0.0.1", "-p", str(port), "-nostdin"]
    command += ["-trace_msg", "-message_file", str(said)]
    organisation = Organisation().trunk("carrier", proxy=f"sip:127.0.0.1:{port}").queue("support")
    organisation = organisation.agent("1001", support=1).may_dial("+86")
    product = Product(tmp_path / "centre", organisation=organisation.text).start()
    with (tmp_path / "sipp.txt").open("w") as output:
        sipp = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=tmp_path)
    try:
        until(lambda: stands(product)["state"] == "up", 20, "the trunk")
        with Robot(product, "1001") as lin:
            lin.sign_in()
            lin.do("call.dial", number="+8613800138000")
            lin.event("call.connected", 15)
            until(lambda: f"ACK sip:sipp@localhost:{port}" in said.read_text(), 15, "the ACK")
            lin.do("call.hang_up")
            until(lambda: f"BYE sip:sipp@localhost:{port}" in said.read_text(), 15, "the BYE")
        product.at_rest()
        assert product.metrics().get('cordboard_sip_total{what="next hop not found"}') == 0
    finally:
        sipp.terminate()
        sipp.wait(20)
        product.stop()
    assert product.complaints == []
