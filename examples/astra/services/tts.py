"""Speaks a text as a WAV file: a tone a letter, a pause a space."""

import io
import math
import struct
import wave

from services.http_service import Content, Refusal, Request, serve

RATE_HERTZ = 16_000
LETTER_SECONDS = 0.06
LETTERS_MAX = 500


def tone(letter: str) -> bytes:
    """The samples of one letter, faded in and out so that it does not click."""
    count = int(RATE_HERTZ * LETTER_SECONDS)
    if not letter.isalnum():
        return bytes(2 * count)
    hertz = 220 * 2 ** (ord(letter.lower()) % 24 / 12)
    samples = (
        math.sin(2 * math.pi * hertz * i / RATE_HERTZ) * math.sin(math.pi * i / count)
        for i in range(count)
    )
    return struct.pack(f"<{count}h", *(int(12_000 * sample) for sample in samples))


def speech(text: str) -> bytes:
    """The text as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HERTZ)
        sound.writeframes(b"".join(map(tone, text)))
    return file.getvalue()


def health(_: Request) -> dict[str, str]:
    return {"status": "healthy"}


def speak(request: Request) -> Content:
    text = request.field("text")
    if len(text) > LETTERS_MAX:
        raise Refusal(413, f"Send at most {LETTERS_MAX} letters at once.")
    return Content("audio/wav", speech(text))


if __name__ == "__main__":
    serve("tts", {"GET /health": health, "POST /speak": speak}, default_port=7040)
