"""S3's errors: a status, a code and a text, as XML. Source: docs/platform/r2.md, "S3"."""

from __future__ import annotations

from starlette.responses import Response

from bindings.r2.errors import R2Error
from emulator.server.api.s3.xml import document

# By R2's own codes.
_CODES = {
    10007: "NoSuchKey",
    10011: "EntityTooSmall",
    10012: "MetadataTooLarge",
    10020: "InvalidObjectName",
    10022: "InvalidMaxKeys",
    10024: "NoSuchUpload",
    10025: "InvalidPart",
    10029: "InvalidArgument",
    10031: "PreconditionFailed",
    10037: "BadDigest",
    10039: "InvalidRange",
    100100: "EntityTooLarge",
}
_STATUSES = {"NoSuchUpload": 404}


class S3Error(Exception):
    """A request that is refused."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @classmethod
    def of(cls, error: R2Error) -> S3Error:
        """Return what S3's clients get for an error of R2."""
        code = _CODES.get(error.code, "InternalError")
        return cls(_STATUSES.get(code, error.status), code, error.message)

    def response(self, *, has_body: bool) -> Response:
        """Return the answer; one to HEAD has no body."""
        if not has_body:
            return Response(status_code=self.status)
        return xml_response("Error", {"Code": self.code, "Message": self.message}, self.status)


def xml_response(root: str, content: object, status: int = 200) -> Response:
    """Return an answer in XML."""
    return Response(document(root, content), status, media_type="application/xml")


def not_implemented(what: str) -> S3Error:
    return S3Error(501, "NotImplemented", f"{what} not implemented")


def malformed() -> S3Error:
    text = "The XML you provided was not well formed or did not validate against our schema."
    return S3Error(400, "MalformedXML", text)
