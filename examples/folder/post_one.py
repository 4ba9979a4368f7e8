"""Publishes one video by putting it into published/<account>/. Exit 0 posted, 65 content, 75 try later, 77 account."""
import json, os, pathlib, shutil, sys

job, account, video = (os.environ["REELPASS_" + name] for name in ("JOB_ID", "ACCOUNT", "VIDEO_PATH"))
folder = pathlib.Path(__file__).resolve().parent / "published" / account

def stop(code, why):
    print(why, file=sys.stderr)
    sys.exit(code)

if (folder / "CLOSED").exists():
    stop(77, f"the folder of {account} is closed")  # every job of the account would fail: hold it
if not os.path.isfile(video):
    stop(65, f"there is no video at {video}")  # no later attempt would find it
try:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(video, folder / f".{job}.part")
    os.replace(folder / f".{job}.part", folder / f"{job}.mp4")  # whole or not at all
except OSError as error:
    stop(75, error)  # a full disk or a lost mount heals: a later pass may try again
print(json.dumps({"id": job, "url": (folder / f"{job}.mp4").as_uri()}))
