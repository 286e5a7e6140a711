"""What tests of programs share: patience that only a program that hangs uses up."""

from __future__ import annotations

# A deadline bounds a hang and nothing else: on a busy machine everything takes many times as long.
HANG_S = 300.0
