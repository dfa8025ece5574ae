"""The worker of one image: bring it to its backup storages and check it, or remove it from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from agent.protocol import Done as AgentDone
from agent.protocol import DropFile, FetchImage, ImageFacts, ObserveImage
from appliance.api.account import ADMIN_UUID
from appliance.api.errors import ApiError, HostUnreachable, ImageFailed, OperationFailed, TimedOut
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.job import LongJob
from appliance.api.storage import BackupStorage
from appliance.hosts.link import Refused
from appliance.plans import naming
from appliance.plans.whole import Whole
from appliance.reconcile import jobs
from appliance.reconcile.asking import PATIENCE, Asker
from appliance.reconcile.capacity import kept_free
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.image_transfer import UPLOAD
from appliance.reconcile.loop import AGAIN, DONE, Backoff, Next
from appliance.reconcile.meter import Meter
from appliance.reconcile.recycle_bin import take_out
from appliance.reconcile.template import Origin, Templates, is_made, origin_of
from appliance.store.errors import StoreCannotWrite
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

FETCH_SECONDS = 3600.0
ALLOWED_FOLDERS = ["/var/lib/zstui-images", "/srv/images"]
"""Folders of a backup storage's machine that `file://` may name; the admin also its storage folders."""


@dataclass(frozen=True)
class _Copy:
    image: Image
    ref: ImageBackupStorageRef
    storage: BackupStorage
    left: tuple[str, ...]
    """The copies that are still to be brought after this one."""
    jobs: tuple[LongJob, ...]
    origin: Origin | None
    """What it is being made of, if it is made of a volume."""


class ImageWorker:
    """Brings one image to where it is intended to be."""

    def __init__(self, context: Context, uuid: str) -> None:
        self._context = context
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._templates = Templates(context, self._asker)
        self._backoff = Backoff()
        self._again = 0

    async def advance(self) -> Next:
        """One pass: the first copy that is not as intended."""
        copy = await self._context.database.read(self._load)
        if copy is None:
            return DONE
        if isinstance(copy, Origin):
            return await self._clear(copy)
        try:
            return await self._drop(copy) if copy.ref.intended == "Absent" else await self._bring(copy)
        except Refused as refused:
            if _waits(copy, refused):
                return await self._later(copy, _awaited(copy) if _is_uploaded(copy.image) else refused)
            if refused.refusal.transient and self._again < PATIENCE:
                self._again += 1
                return await self._later(copy, refused)
            self._again = 0
            return await self._failed(copy, refused)
        except HostUnreachable as unreachable:
            return await self._later(copy, unreachable)
        except StoreCannotWrite:
            raise
        except ApiError as failed:
            return await self._failed(copy, failed)

    def _load(self, snapshot: Snapshot) -> _Copy | Origin | None:
        image, origin = snapshot.find(Image, self._uuid), origin_of(snapshot, self._uuid)
        if origin is not None and not origin.wanted:
            return origin
        if image is None:
            return None
        refs = snapshot.all(ImageBackupStorageRef, image_uuid=self._uuid)
        for ref in refs:
            storage = snapshot.find(BackupStorage, ref.backup_storage_uuid)
            if storage is not None and not ref.whole:
                left = tuple(each.uuid for each in refs if each.uuid != ref.uuid and not each.whole)
                return _Copy(image, ref, storage, left, tuple(jobs.running(snapshot, self._uuid)), origin)
        return None

    async def _clear(self, origin: Origin) -> Next:
        """The volume's host keeps nothing of what an image is made of no more."""
        try:
            await self._templates.clear(origin)
        except ApiError as failed:
            details = failed.details

            def write(tx: Transaction) -> None:
                for job in jobs.running(tx, self._uuid):
                    jobs.progress(tx, job, job.step or "undo", job.progress, details)

            await self._context.database.write(write)
            return self._backoff.next()
        self._backoff.reset()
        return AGAIN

    async def _bring(self, copy: _Copy) -> Next:
        facts = await (self._fetch(copy) if copy.origin is None else self._make(copy, copy.origin))
        await self._context.database.write(lambda tx: self._ready(tx, copy, facts))
        return AGAIN

    async def _make(self, copy: _Copy, origin: Origin) -> ImageFacts:
        return await self._templates.bring(origin, copy.ref, copy.storage, copy.image)

    async def _fetch(self, copy: _Copy) -> ImageFacts:
        request = await self._context.database.read(partial(_fetching, copy=copy))
        # Each storage's machine fetches it, one after the other.
        meter = Meter(self._context.database, copy.jobs, "fetch image", copy.ref.uuid, alike=copy.left)
        async with meter.running():
            facts = await self._asker.ask(
                target_of(copy.storage),
                request,
                resource=copy.image.uuid,
                generation=1,
                timeout_seconds=FETCH_SECONDS,
                on_progress=meter,
            )
        if not isinstance(facts, ImageFacts):
            raise TypeError(f"{type(request).__name__} was answered by {type(facts).__name__}")
        if _is_uploaded(copy.image) and copy.image.source_format:
            await self._drop_uploaded(copy, generation=1)
        return facts

    async def _drop_uploaded(self, copy: _Copy, generation: int) -> None:
        """What was sent to make the image of goes once that is there, or is not to be."""
        path = naming.uploaded_image(copy.ref.install_path, copy.image.source_format)
        link = self._context.fleet.link(target_of(copy.storage))
        await link.ask(DropFile(path=path), AgentDone, resource=copy.image.uuid, generation=generation)

    def _ready(self, tx: Transaction, copy: _Copy, facts: ImageFacts) -> None:
        image, ref = tx.find(Image, self._uuid), tx.find(ImageBackupStorageRef, copy.ref.uuid)
        if image is None or ref is None or ref.intended == "Absent":
            return
        tx.update(ref, status="Ready")
        image = tx.update(
            image,
            size=facts.size_bytes,
            actual_size=facts.taken_bytes,
            length=facts.actual_bytes,
            md5_sum=facts.md5,
        )
        if all(each.status == "Ready" for each in tx.all(ImageBackupStorageRef, image_uuid=image.uuid)):
            image = tx.update(image, source_url=None)
        image = restate(tx, image)
        if image.status != "Ready":
            return
        tx.note("ImageReady", f"{image.name}: ready, {facts.actual_bytes} bytes", about=image)
        for job in jobs.running(tx, image.uuid):
            jobs.succeed(tx, job, {"inventory": tx.inventory(image)})

    async def _drop(self, copy: _Copy) -> Next:
        target = target_of(copy.storage)
        if is_made(copy.image):
            await self._templates.close(target, copy.ref)
        request = DropFile(path=copy.ref.install_path)
        if copy.image.source_format and self._context.fleet.connected(target):
            await self._drop_uploaded(copy, generation=2)
        if await self._asker.settle_unanswered(target, request):
            return AGAIN
        link = self._context.fleet.link(target)
        await link.ask(request, AgentDone, resource=copy.image.uuid, generation=2)

        def write(tx: Transaction) -> None:
            ref = tx.find(ImageBackupStorageRef, copy.ref.uuid)
            if ref is not None:
                take_out(tx, self._uuid, backup_storage_uuid=ref.backup_storage_uuid)
                tx.delete(ref)
            left = tx.all(ImageBackupStorageRef, image_uuid=self._uuid)
            if not left:
                forget(tx, self._uuid)
            elif all(each.whole for each in left):
                end_jobs(tx, self._uuid)

        await self._context.database.write(write)
        return AGAIN

    async def _later(self, copy: _Copy, reason: ApiError) -> Next:
        """Missing bytes of an upload and lost machines are waited for, until the job's deadline."""

        def write(tx: Transaction) -> bool:
            for job in jobs.running(tx, self._uuid):
                late = job.deadline is not None and tx.now > job.deadline
                if late and copy.ref.intended == "Ready":
                    return True
                jobs.progress(tx, job, job.step or "wait", job.progress, reason.details)
            return False

        if await self._context.database.write(write):
            return await self._failed(copy, TimedOut(f"given up after waiting: {reason.details}"))
        return self._backoff.next()

    async def _failed(self, copy: _Copy, error: ApiError) -> Next:
        def write(tx: Transaction) -> bool:
            image = tx.find(Image, self._uuid)
            if image is None:
                return False
            failure = f"url[{image.url}]: {_by_whom(copy)}{_of_the_image(copy, error)}"
            return fail_image(tx, image, ImageFailed(failure, cause=error))

        turned = await self._context.database.write(write)
        return AGAIN if turned else self._backoff.after(f"image {self._uuid}", error)


def _is_uploaded(image: Image) -> bool:
    return image.url.startswith("upload://")


def _fetching(snapshot: Snapshot, copy: _Copy) -> FetchImage | ObserveImage:
    """What the storage's machine is asked for: to bring the image, or to look at what somebody sends."""
    image, place = copy.image, copy.ref.install_path
    if _is_uploaded(image) and not image.source_format:
        return ObserveImage(path=place, format=image.format)
    sent = f"file://{naming.uploaded_image(place, image.source_format)}"
    return FetchImage(
        image_uuid=image.uuid,
        url=sent if _is_uploaded(image) else image.source_url or image.url,
        path=place,
        format=image.format,
        allowed_folders=ALLOWED_FOLDERS,
        # A storage has files of all accounts: only the admin may name one, and what was sent to it is there.
        from_storage=_is_uploaded(image) or snapshot.owner_of(image.uuid) == ADMIN_UUID,
        source_format=image.source_format or "",
        reserved_bytes=kept_free(snapshot, "backupStorage"),
    )


def _waits(copy: _Copy, refused: Refused) -> bool:
    """Whether what is missing may still come: bytes that nobody has sent yet, or a way that broke."""
    refusal = refused.refusal
    if _is_uploaded(copy.image):
        return refusal.code == "file.missing"
    return copy.origin is not None and refusal.transient and refusal.code.startswith(("copy.", "lane."))


def _awaited(copy: _Copy) -> OperationFailed:
    """What an upload waits for, and how that comes."""
    done, total = max((Whole(job.parts).part(UPLOAD) for job in copy.jobs), default=(0, 0))
    how = f"zstui upload {copy.image.uuid} FILE"
    if not done:
        return OperationFailed(f"its file is awaited; send it: {how}")
    came = f"{done >> 20} of {total >> 20} MiB came"
    return OperationFailed(f"the rest of its file is awaited ({came}); go on: {how}")


def _by_whom(copy: _Copy) -> str:
    """Which machine a URL is to be reached from: its user's own may well reach it."""
    if not copy.image.url.startswith(("http://", "https://")):
        return ""
    return f"backup storage {copy.storage.name} ({copy.storage.hostname}) fetches it: "


def _of_the_image(copy: _Copy, error: ApiError) -> str:
    """What is wrong with an image, by its name: its file's is long, and nobody's who asked for it."""
    if not isinstance(error, Refused) or not error.refusal.code.startswith(("image.", "program.")):
        return error.details
    files = rf"{re.escape(copy.ref.install_path)}(?:\.\w+)*"
    return re.sub(files, lambda _: f"image {copy.image.name}", error.details)


def restate(tx: Transaction, image: Image) -> Image:
    """An image's status, out of those of its copies."""
    refs = tx.all(ImageBackupStorageRef, image_uuid=image.uuid)
    if all(ref.status == "Deleted" for ref in refs):
        return tx.update(image, status="Deleted")
    whole = all(ref.status in {"Ready", "Deleted"} for ref in refs)
    return tx.update(image, status="Ready" if whole else image.status)


def fail_image(tx: Transaction, image: Image, error: ApiError) -> bool:
    """Undo an image that is being brought, and end its jobs with an error; False when none is."""
    refs = tx.all(ImageBackupStorageRef, image_uuid=image.uuid)
    if all(ref.whole or ref.intended == "Absent" for ref in refs):
        return False
    for job in jobs.running(tx, image.uuid):
        jobs.doom(tx, job, error)
    for ref in refs:
        tx.update(ref, intended="Absent")
    tx.update(image, status="Error")
    return True


def end_jobs(tx: Transaction, uuid: str) -> None:
    """End the jobs on an image of which nothing is left to do."""
    for job in jobs.running(tx, uuid):
        jobs.succeed(tx, job, {})


def forget(tx: Transaction, uuid: str) -> None:
    """Remove every row of an image, and end the jobs on it."""
    image = tx.find(Image, uuid)
    if image is not None:
        tx.delete(image)
    end_jobs(tx, uuid)
