"""The official SDK, with nothing changed but its base URL."""

import hashlib
import os

import openai

base, dummy = os.environ["BASE_URL"], os.environ["DUMMY"]
client = openai.OpenAI(base_url=base, api_key=dummy, max_retries=0, timeout=30)
question = {
    "model": "gpt-test",
    "messages": [{"role": "user", "content": "one two three four"}],
}

answer = client.chat.completions.create(**question)
assert answer.choices[0].message.content == "ONE TWO THREE FOUR", answer

words = []
with client.chat.completions.create(**question, stream=True) as stream:
    for chunk in stream:
        words.append(chunk.choices[0].delta.content)
        if len(words) == 1:
            # The provider says no more before it is told that the first word
            # has been heard.
            client.get("/go-on", cast_to=object)
assert words == ["ONE ", "TWO ", "THREE ", "FOUR"], words

content = os.urandom(1 << 20)
file = client.files.create(file=("data.jsonl", content), purpose="batch")
assert file.bytes == len(content), file
assert file.id == "file-" + hashlib.sha256(content).hexdigest(), file

try:
    client.with_options(base_url=base + "-unknown").models.list()
except openai.NotFoundError as error:
    assert error.response.headers["Credence-Error"] == "unknown-collection"
else:
    raise AssertionError("a collection that is not there has answered")

print("openai", openai.VERSION, "chat, stream of", len(words), "words,", file.bytes, "bytes up")
