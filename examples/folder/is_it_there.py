"""Asked when the outcome of a post is not known. Exit 0 it is there, 1 it certainly is not, 2 cannot tell."""
import json, os, pathlib, sys

job, account = os.environ["REELPASS_JOB_ID"], os.environ["REELPASS_ACCOUNT"]
post = pathlib.Path(__file__).resolve().parent / "published" / account / f"{job}.mp4"
try:
    post.stat()
except FileNotFoundError:
    sys.exit(1)
except OSError as error:  # not allowed to look is not the same as absent
    print(error, file=sys.stderr)
    sys.exit(2)
print(json.dumps({"id": job, "url": post.as_uri()}))
