"""Makes the spoken prompts: `python switch/voices/make.py`, once, with espeak-ng on the machine.

Each prompt becomes a file LANGUAGE-NAME.opus of 8 kHz mono beside this script. The files are kept in the repository, so
that a switch needs no speech synthesis. Speech is brought to `LEVEL` where somebody speaks, so that a prompt is as loud
as a caller expects a voice to be, and stands in silence at both ends, so that it begins and ends without a click.
"""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE = 8000
FRAME = 160
# Telephone speech whose consonants are still clear; a prompt of 5 s is 8 kB.
BIT_RATE = 12000
# Where somebody speaks, in dBFS: what a telephone's voice is at, and a little above the hold music.
LEVEL = -20.0
# What is this much softer than the loudest frame is a pause, in dB.
PAUSE = 35.0
# Of silence at either end, in seconds: an Opus encoder has settled by then.
MARGIN = 0.04
# Voices have nothing below, and a telephone carries nothing below, in Hz.
LOWEST = 120.0

PROMPTS = {
    "en": {
        "agent-away": "Please hold the line. Your agent will be with you again in a moment.",
        "on-hold": "Please hold the line for a moment.",
        "nobody-here": "All our agents are away at the moment. Please stay on the line, or call again later.",
        "goodbye": "We are sorry that nobody could take your call. Please call again later. Goodbye.",
        "position": "Your number in line is",
        "wait": "You will wait for about",
        "minutes": "minutes",
        "wait-short": "You will be answered within a minute.",
        "wait-long": "You may have to wait for more than an hour.",
        "closed": "We are closed at the moment. Please call again when we are open. Goodbye.",
        "accept-call": "You have a call from work. To take it, press one.",
        "survey": "How satisfied were you with this call? Press a key from one to five. Five means very satisfied.",
        "survey-again": "That key is none of these. Please press a key from one to five. Five means very satisfied.",
        "survey-thanks": "Thank you. Goodbye.",
        "voicemail": "Nobody can take your call at the moment. Please leave a message after the tone, "
        "and press the hash key when you have finished.",
        "digit-0": "zero",
        "digit-1": "one",
        "digit-2": "two",
        "digit-3": "three",
        "digit-4": "four",
        "digit-5": "five",
        "digit-6": "six",
        "digit-7": "seven",
        "digit-8": "eight",
        "digit-9": "nine",
        "number-2": "two",
        "number-10": "ten",
        "number-11": "eleven",
        "number-12": "twelve",
        "number-13": "thirteen",
        "number-14": "fourteen",
        "number-15": "fifteen",
        "number-16": "sixteen",
        "number-17": "seventeen",
        "number-18": "eighteen",
        "number-19": "nineteen",
        "number-20": "twenty",
        "number-30": "thirty",
        "number-40": "forty",
        "number-50": "fifty",
    },
    # In pinyin: espeak-ng's table of characters is not the same everywhere.
    "zh": {
        # 请您稍候，不要挂机，客服人员马上回来。
        "agent-away": "qing3 nin2 shao1 hou4, bu2 yao4 gua4 ji1, ke4 fu2 ren2 yuan2 ma3 shang4 hui2 lai2.",
        # 请您稍等，不要挂机。
        "on-hold": "qing3 nin2 shao1 deng3, bu2 yao4 gua4 ji1.",
        # 您好，现在没有客服人员在线。请您在线等候，或者稍后再拨。
        "nobody-here": "nin2 hao3, xian4 zai4 mei2 you3 ke4 fu2 ren2 yuan2 zai4 xian4. "
        "qing3 nin2 zai4 xian4 deng3 hou4, huo4 zhe3 shao1 hou4 zai4 bo1.",
        # 很抱歉，暂时没有人能接听您的来电。请您稍后再拨，再见。
        "goodbye": "hen3 bao4 qian4, zan4 shi2 mei2 you3 ren2 neng2 jie1 ting1 nin2 de5 lai2 dian4. "
        "qing3 nin2 shao1 hou4 zai4 bo1, zai4 jian4.",
        # 您当前的排队号码是
        "position": "nin2 dang1 qian2 de5 pai2 dui4 hao4 ma3 shi4",
        # 预计等候时间约
        "wait": "yu4 ji4 deng3 hou4 shi2 jian1 yue1",
        # 分钟
        "minutes": "fen1 zhong1",
        # 预计一分钟内为您接通。
        "wait-short": "yu4 ji4 yi4 fen1 zhong1 nei4 wei4 nin2 jie1 tong1.",
        # 等候时间可能超过一小时。
        "wait-long": "deng3 hou4 shi2 jian1 ke3 neng2 chao1 guo4 yi4 xiao3 shi2.",
        # 您好，现在是非工作时间，请您在工作时间再拨，再见。
        "closed": "nin2 hao3, xian4 zai4 shi4 fei1 gong1 zuo4 shi2 jian1, "
        "qing3 nin2 zai4 gong1 zuo4 shi2 jian1 zai4 bo1, zai4 jian4.",
        # 您有工作来电，接听请按一。
        "accept-call": "nin2 you3 gong1 zuo4 lai2 dian4, jie1 ting1 qing3 an4 yi1.",
        # 请为本次服务打分，按一到五键，五分为非常满意。
        "survey": "qing3 wei4 ben3 ci4 fu2 wu4 da3 fen1, an4 yi1 dao4 wu3 jian4, wu3 fen1 wei2 fei1 chang2 man3 yi4.",
        # 输入有误，请按一到五键，五分为非常满意。
        "survey-again": "shu1 ru4 you3 wu4, qing3 an4 yi1 dao4 wu3 jian4, wu3 fen1 wei2 fei1 chang2 man3 yi4.",
        # 谢谢您，再见。
        "survey-thanks": "xie4 xie5 nin2, zai4 jian4.",
        # 您好，现在无法接听您的来电，请在提示音后留言，留言结束请按井号键。
        "voicemail": "nin2 hao3, xian4 zai4 wu2 fa3 jie1 ting1 nin2 de5 lai2 dian4, "
        "qing3 zai4 ti2 shi4 yin1 hou4 liu2 yan2, liu2 yan2 jie2 shu4 qing3 an4 jing3 hao4 jian4.",
        # 零、一、二、三、四、五、六、七、八、九
        "digit-0": "ling2",
        "digit-1": "yi1",
        "digit-2": "er4",
        "digit-3": "san1",
        "digit-4": "si4",
        "digit-5": "wu3",
        "digit-6": "liu4",
        "digit-7": "qi1",
        "digit-8": "ba1",
        "digit-9": "jiu3",
        # 两、十、十一……十九、二十、三十、四十、五十
        "number-2": "liang3",
        "number-10": "shi2",
        "number-11": "shi2 yi1",
        "number-12": "shi2 er4",
        "number-13": "shi2 san1",
        "number-14": "shi2 si4",
        "number-15": "shi2 wu3",
        "number-16": "shi2 liu4",
        "number-17": "shi2 qi1",
        "number-18": "shi2 ba1",
        "number-19": "shi2 jiu3",
        "number-20": "er4 shi2",
        "number-30": "san1 shi2",
        "number-40": "si4 shi2",
        "number-50": "wu3 shi2",
    },
}
# espeak-ng's voice, and words (or syllables) per minute: calm speech.
VOICES = {"en": ("en-gb", 145), "zh": ("cmn-latn-pinyin", 200)}


def speak(text: str, language: str) -> NDArray[np.float64]:
    """`text` as samples of 8 kHz, full scale 1."""
    voice, speed = VOICES[language]
    argv = ["espeak-ng", "-v", voice, "-s", str(speed), "-b", "1", "--stdout", "--stdin"]
    wav = subprocess.run(argv, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    return decoded(io.BytesIO(wav))


def decoded(file: io.BytesIO | str) -> NDArray[np.float64]:
    """The samples of a file, 8 kHz, full scale 1."""
    with av.open(file, "r") as source:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [made for frame in [*source.decode(audio=0), None] for made in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]) / 32768


def level(sound: NDArray[np.float64]) -> tuple[float, NDArray[np.bool_]]:
    """The level where somebody speaks, in dBFS, and which frames that are."""
    power = np.square(sound[: len(sound) // FRAME * FRAME]).reshape(-1, FRAME).mean(axis=1)
    speaks = power > power.max() * 10 ** (-PAUSE / 10)
    return float(10 * np.log10(power[speaks].mean())), speaks


def clean(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without what no telephone carries, trimmed to the words, at `LEVEL`, in silence at both ends."""
    spectrum = np.fft.rfft(sound, 2 * len(sound))
    spectrum *= np.clip(np.fft.rfftfreq(2 * len(sound), 1 / RATE) / LOWEST, 0, 1) ** 2
    sound = np.fft.irfft(spectrum)[: len(sound)]
    loud, speaks = level(sound)
    words = np.flatnonzero(speaks)
    sound = sound[words[0] * FRAME : (words[-1] + 2) * FRAME] * 10 ** ((LEVEL - loud) / 20)
    if np.abs(sound).max() >= 1:
        raise ValueError(f"{LEVEL} dBFS is too loud: a peak is above full scale")
    edge = np.clip(np.minimum(np.arange(len(sound)), np.arange(len(sound))[::-1]) / FRAME, 0, 1)
    silence = np.zeros(round(MARGIN * RATE))
    return np.concatenate([silence, sound * edge, silence])


def encode(sound: NDArray[np.float64], path: Path) -> None:
    pcm = np.rint(sound * 32767).astype(np.int16)
    with av.open(str(path), "w", format="ogg") as target:
        stream = target.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=FRAME)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(part))
        target.mux(stream.encode(None))


def main() -> None:
    here = Path(__file__).parent
    for language, prompts in PROMPTS.items():
        for name, text in prompts.items():
            path = here / f"{language}-{name}.opus"
            sound = clean(speak(text, language))
            encode(sound, path)
            # A codec takes up to a decibel off a single word.
            sound *= 10 ** ((LEVEL - level(decoded(str(path)))[0]) / 20)
            encode(sound, path)
            peak = 20 * np.log10(np.abs(sound).max())
            print(f"{path.name}: {len(sound) / RATE:.2f} s, peak {peak:.1f} dBFS, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
