#!/usr/bin/env python3
"""Verifies a customer's evidence without Regentra: an export, the host's public keys, anchors, time stamps.

    regentra records --company NAME --export evidence.json
    python3 verify_evidence.py evidence.json --keys keys.pub --anchors anchors.jsonl --tsa-ca tsa.pem

Take the keys (at least the first line) and anchors from where the database's administrator cannot write: without them only accidents are
found. Prints a line of JSON for each chain; ends with 1 when something is wrong, with 2 when a file cannot be read. Needs Python 3.11 or
newer, `cryptography`, and for time stamps the `openssl` program.
"""
import argparse, base64, hashlib, json, pathlib, subprocess, sys, tempfile
from datetime import datetime, timedelta, timezone
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ANCHOR_DELAY = timedelta(hours=24)

class Fault(Exception): """The first thing that is wrong."""
def sha256(*parts): return hashlib.sha256(b"".join(parts)).digest()

def verifies(key, signature, *lines):
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), "\n".join(lines).encode()) is None
    except (InvalidSignature, ValueError):
        return False

def lines_of(path):  # A line that was cut off says nothing: its root was anchored again.
    lines = [line.strip() for line in pathlib.Path(path).read_text().splitlines() if line.strip()]
    return [json.loads(line) for line in lines if line.endswith("}") or not line.startswith("{")]

def trusted_keys(given, exported):
    """The first key is trusted; a later one if a trusted one has signed it. What nobody signed in the given file is an error."""
    keys = {}
    for key, is_given in [(key, True) for key in given] + [(key, False) for key in exported]:
        known, by = keys.get(key["id"]), key.get("endorsement")
        text = ["regentra-evidence next key 1", key["id"], key["public_key"]]
        signed = by and by["by"] in keys and verifies(keys[by["by"]]["public_key"], by["signature"], *text)
        if not known and (not keys or signed):
            keys[key["id"]] = key
        elif is_given and (not known or known["public_key"] != key["public_key"]):
            raise Fault(f"the public key {key['id']} is repeated, or not signed by a key before it")
    return keys

def anchor_text(anchor):
    tick = int(datetime.fromisoformat(anchor["tick"]).timestamp())
    return f"regentra-evidence anchor 1\n{anchor['msp']}\n{anchor['number']}\n{tick}\n{anchor['heads']}\n{anchor['root']}"

def read_anchors(path, msp, ca):
    anchors = {}
    for anchor in lines_of(path):
        anchor["at"] = datetime.fromisoformat(anchor["at"])
        before = anchors.setdefault((anchor["msp"], anchor["number"]), anchor)
        if anchor_text(before) != anchor_text(anchor):
            raise Fault(f"root {anchor['number']} is anchored twice, and differently")
        before["at"] = min(before["at"], anchor["at"])
        if ca: verify_time_stamp(anchor, ca)
    return {number: anchor for (owner, number), anchor in anchors.items() if owner == msp}

def verify_time_stamp(anchor, ca):
    if "time_stamp" not in anchor:
        raise Fault(f"anchor {anchor['number']} has no time stamp")
    with tempfile.TemporaryDirectory() as folder:
        data, reply = pathlib.Path(folder, "text"), pathlib.Path(folder, "reply")
        data.write_text(anchor_text(anchor))
        reply.write_bytes(base64.b64decode(anchor["time_stamp"]))
        if subprocess.run(["openssl", "ts", "-verify", "-data", data, "-in", reply, "-CAfile", ca], capture_output=True).returncode:
            raise Fault(f"the time stamp of anchor {anchor['number']} does not verify")

def root_of(head, proof):
    """The root that a head and its path give: RFC 6962, section 2.1.1, verified as in RFC 9162, section 2.1.3.2."""
    index, last = proof["index"], proof["size"] - 1
    if not 0 <= index <= last: return None
    node = sha256(b"\0", f"regentra-evidence head 1\n{head['length']}\n{head['hash']}".encode())
    for sibling in map(bytes.fromhex, proof["path"]):
        if last == 0: return None
        if index & 1 or index == last:
            node = sha256(b"\1", sibling, node)
            while index and not index & 1: index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\1", node, sibling)
        index, last = index >> 1, last >> 1
    return node.hex() if last == 0 else None

def verify(chain, keys, anchors, report):
    previous = sha256(f"regentra-evidence chain 1\n{chain['signal']}\n{chain['subject']}".encode()).hex()
    heads, since = {0: previous}, next(iter(keys.values()), {}).get("since")
    for place, link in enumerate(chain["links"], 1):
        text = f"{previous}\n{place}\n{link['record']}"
        if (link["sequence"], link["previous"], link["hash"]) != (place, previous, sha256(text.encode()).hex()):
            raise Fault(f"record {place} was changed, removed or moved, or is another chain's")
        previous = heads[place] = link["hash"]
    if any(heads.get(head["length"]) != head["hash"] for head in chain["audit_heads"]):
        raise Fault("the audit trail has another head, or one of records that are not there")
    if max((head["length"] for head in chain["audit_heads"]), default=-1) != len(chain["links"]):
        raise Fault("the audit trail does not speak of the last record")
    collected = []
    for link in chain["links"]:
        place, signature = link["sequence"], link.get("signature")
        try:
            record = json.loads(link["record"])
            at = datetime.fromisoformat(record["signal"]["collected_at"])
        except (ValueError, KeyError, TypeError):
            record, at = {}, None
        collected.append((place, at or datetime.fromtimestamp(0, timezone.utc)))
        name, is_late = record.get("signing_key"), since and (at is None or at >= datetime.fromisoformat(since))
        if not signature:
            if name or report["signed"] or is_late:
                raise Fault(f"record {place} is not signed and has to be")
        elif not name or keys and not (name in keys and verifies(keys[name]["public_key"], signature,
                                       "regentra-evidence signed head 1", name, str(place), link["hash"])):
            raise Fault(f"the signature of record {place} does not verify, or its key is not trusted")
        report["signed"] += bool(signature)
    covered = []
    for proof in chain["proofs"]:
        head, anchor = proof["head"], anchors.get(proof["number"])
        if anchor is None: continue
        if proof["proof"]["size"] != anchor["heads"] or root_of(head, proof["proof"]) != anchor["root"]:
            raise Fault(f"the heads under anchor {proof['number']} are not those that were anchored")
        if not 0 < head["length"] < len(heads) or heads[head["length"]] != head["hash"]:
            raise Fault(f"record {head['length']} or one before it is not what was anchored")
        covered.append((head["length"], anchor["at"]))
        report["anchored"] = max(report["anchored"], head["length"])
    for place, at in collected:
        due = min((a["at"] for a in anchors.values() if a["at"] > at + ANCHOR_DELAY), default=None)
        if due and not any(length >= place and made <= due for length, made in covered):
            raise Fault(f"record {place} is older than anchors that do not cover it")

def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("export")
    for option in ["--keys", "--anchors", "--tsa-ca"]: arguments.add_argument(option)
    given, failed = arguments.parse_args(), False
    export = json.loads(pathlib.Path(given.export).read_text())
    keys = trusted_keys(lines_of(given.keys), export["keys"]) if given.keys else {}
    anchors = read_anchors(given.anchors, export["msp"], given.tsa_ca) if given.anchors else {}
    for chain in export["chains"]:
        report = {"subject": chain["subject"], "signal": chain["signal"], "records": len(chain["links"]), "signed": 0, "anchored": 0}
        try:
            verify(chain, keys, anchors, report)
        except Fault as fault:
            report["fault"], failed = str(fault), True
        print(json.dumps(report))
    return 1 if failed else 0

if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Fault, OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: {error!r}", file=sys.stderr)
        sys.exit(1 if isinstance(error, Fault) else 2)
