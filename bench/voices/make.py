"""Makes the voices of the synthetic customer: `python bench/voices/make.py`, once, with espeak-ng on the machine.

Each sentence becomes a file LANGUAGE-n.opus of 8 kHz mono beside this script; n is the order in which the customer says
them. The files are kept in the repository, so that a demonstration needs no speech synthesis.
"""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import av

RATE = 8000
# What telephone speech needs; all files together stay far under 300 kB.
BIT_RATE = 12000

SENTENCES = {
    "en": (
        "Hello, good afternoon. I am calling about an order that I placed last week.",
        "The parcel was meant to arrive on Tuesday, but nothing has come so far.",
        "The order number is four, seven, one, nine, zero, two. Could you look it up for me, please?",
        "Yes, the address is correct. I was at home the whole day and nobody rang the bell.",
        "Could you perhaps send it again, or tell me where it is at the moment?",
        "Alright, that would help me a lot. How long do you think that will take?",
        "I see. Would you send me a short message when it is on its way?",
        "Thank you very much for your help. Have a nice day. Goodbye.",
    ),
    # In pinyin: espeak-ng's table of characters is not the same everywhere.
    "zh": (
        # 喂，你好。我上个星期在你们网站上买了一件商品，想问一下。
        "wei2, ni3 hao3. wo3 shang4 ge4 xing1 qi1 zai4 ni3 men5 wang3 zhan4 shang4 mai3 le5 yi2 jian4 shang1 pin3, "
        "xiang3 wen4 yi2 xia4.",
        # 本来说星期二送到，可是到现在还没有收到。
        "ben3 lai2 shuo1 xing1 qi1 er4 song4 dao4, ke3 shi4 dao4 xian4 zai4 hai2 mei2 you3 shou1 dao4.",
        # 订单号是四七一九零二，麻烦您帮我查一下，好吗？
        "ding4 dan1 hao4 shi4 si4 qi1 yi1 jiu3 ling2 er4, ma2 fan5 nin2 bang1 wo3 cha2 yi2 xia4, hao3 ma5?",
        # 对，地址没有错。我一整天都在家，没有人来敲门。
        "dui4, di4 zhi3 mei2 you3 cuo4. wo3 yi4 zheng3 tian1 dou1 zai4 jia1, mei2 you3 ren2 lai2 qiao1 men2.",
        # 能不能帮我重新寄一次？或者告诉我现在送到哪里了？
        "neng2 bu4 neng2 bang1 wo3 chong2 xin1 ji4 yi2 ci4? huo4 zhe3 gao4 su4 wo3 xian4 zai4 song4 dao4 na3 li3 le5?",
        # 好的，那太好了。大概需要多长时间呢？
        "hao3 de5, na4 tai4 hao3 le5. da4 gai4 xu1 yao4 duo1 chang2 shi2 jian1 ne5?",
        # 明白了。发货以后，可以给我发一条短信吗？
        "ming2 bai2 le5. fa1 huo4 yi3 hou4, ke2 yi3 gei2 wo3 fa1 yi4 tiao2 duan3 xin4 ma5?",
        # 好，非常感谢您的帮助。祝您工作愉快，再见。
        "hao3, fei1 chang2 gan3 xie4 nin2 de5 bang1 zhu4. zhu4 nin2 gong1 zuo4 yu2 kuai4, zai4 jian4.",
    ),
}
# espeak-ng's voice, and words (or syllables) per minute: calm speech.
VOICES = {"en": ("en-gb", 145), "zh": ("cmn-latn-pinyin", 190)}


def speak(text: str, language: str) -> bytes:
    """A WAV file of `text`."""
    voice, speed = VOICES[language]
    argv = ["espeak-ng", "-v", voice, "-s", str(speed), "-b", "1", "--stdout", "--stdin"]
    return subprocess.run(argv, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout


def encode(wav: bytes, path: Path) -> None:
    with av.open(io.BytesIO(wav), "r") as source, av.open(str(path), "w", format="ogg") as target:
        stream = target.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in [*source.decode(audio=0), None]:
            for resampled in resampler.resample(frame):
                target.mux(stream.encode(resampled))
        target.mux(stream.encode(None))


def main() -> None:
    here = Path(__file__).parent
    for language, sentences in SENTENCES.items():
        for at, sentence in enumerate(sentences, 1):
            path = here / f"{language}-{at}.opus"
            encode(speak(sentence, language), path)
            print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
