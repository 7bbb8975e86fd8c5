/*! Copyright 2026 Fonticons, Inc. - https://webawesome.com/license */
import {
  WaPopover
} from "../../chunks/chunk.4OSDOJJ4.js";
import "../../chunks/chunk.Q23D34AW.js";
import "../../chunks/chunk.4ZAKP7NY.js";
import "../../chunks/chunk.MQODJ75V.js";
import "../../chunks/chunk.3NKIHICW.js";
import "../../chunks/chunk.PX3HMKF7.js";
import "../../chunks/chunk.EFKLEU6F.js";
import "../../chunks/chunk.ZWQCGLB5.js";
import "../../chunks/chunk.EV5QZWZG.js";
import "../../chunks/chunk.3H2FQERJ.js";
import "../../chunks/chunk.O6IZ4I7T.js";
import "../../chunks/chunk.F25QOBDY.js";
import "../../chunks/chunk.L6CIKOFQ.js";
import "../../chunks/chunk.KWDPKKFO.js";
import "../../chunks/chunk.PZAN6FPN.js";
import "../../chunks/chunk.LBLI4KS5.js";
import "../../chunks/chunk.H23DVATU.js";
import "../../chunks/chunk.DL7HG4WM.js";
import "../../chunks/chunk.D5HA4OFX.js";
import "../../chunks/chunk.HOKYDFUG.js";
import "../../chunks/chunk.TLFIX76K.js";
import "../../chunks/chunk.BKE5EYM3.js";
import "../../chunks/chunk.JHZRD2LV.js";
export {
  WaPopover as default
};
