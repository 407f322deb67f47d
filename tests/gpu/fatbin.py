"""Reads what nvcc put into objects and static libraries: PTX and machine code per architecture. Nothing is executed.

Only what was compiled with --no-compress can be read. The formats are NVIDIA's own and not documented; what does not
look as expected is an error, never an empty answer.
"""

import struct
from collections import namedtuple

Image = namedtuple("Image", "architecture is_ptx data")
Kernel = namedtuple("Kernel", "registers shared stack threads")

FATBIN_MAGIC = 0xBA55ED50
PTX, CUBIN = 1, 2
COMPRESSED = 0x2000 | 0x8000  # LZ4, Zstandard
ATTRIBUTE_MAX_THREADS, ATTRIBUTE_FRAME_SIZE, ATTRIBUTE_MIN_STACK_SIZE, ATTRIBUTE_REGISTERS = 0x05, 0x11, 0x12, 0x2f
WITH_SIZE = 0x04  # of an attribute: its payload's length follows


def objects(path):
    """The ELF files in a static library, or the one that the file is."""
    with open(path, "rb") as file:
        data = file.read()
    if not data.startswith(b"!<arch>\n"):
        yield data
        return
    at = 8
    while at < len(data):
        size = int(data[at + 48:at + 58])
        member = data[at + 60:at + 60 + size]
        if member.startswith(b"\x7fELF"):
            yield member
        at += 60 + size + size % 2


def sections(elf):
    """(name, content, length) of each section."""
    table, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", elf, table + i * size) for i in range(count)]
    text = headers[names][4]
    for name, kind, _, _, offset, length, *_ in headers:
        end = elf.index(b"\0", text + name)
        content = b"" if kind == 8 else elf[offset:offset + length]  # 8: takes no room in the file
        yield elf[text + name:end].decode(), content, length


def images(path):
    """Every PTX and machine code in the file."""
    for elf in objects(path):
        for name, content, _ in sections(elf):
            if name == ".nv_fatbin":
                yield from _entries(content, path)


def _entries(data, path):
    at = 0
    while at + 16 <= len(data):
        magic, _, header, size = struct.unpack_from("<IHHQ", data, at)
        if magic != FATBIN_MAGIC:
            if data[at:].strip(b"\0"):
                raise SystemExit(f"{path}: got {magic:#x} where a header of CUDA code is expected; another toolkit?")
            return
        entry, at = at + header, at + header + size
        while entry < at:
            kind, _, header, size = struct.unpack_from("<HHIQ", data, entry)
            architecture, = struct.unpack_from("<I", data, entry + 28)
            flags, = struct.unpack_from("<Q", data, entry + 40)
            if flags & COMPRESSED:
                raise SystemExit(f"{path}: the code for sm_{architecture} is compressed; compile with --no-compress")
            if kind in (PTX, CUBIN):
                yield Image(architecture, kind == PTX, data[entry + header:entry + header + size])
            entry += header + size
        at += -at % 8


def ptx_entries(image):
    """{kernel: its PTX} of one image, comments left out."""
    text = image.data.rstrip(b"\0").decode()
    found = {}
    for part in text.split(".entry ")[1:]:
        name = part[:part.index("(")].strip()
        lines = (line.split("//")[0].rstrip() for line in part[:part.index("\n}")].splitlines())
        found[name] = "\n".join(line for line in lines if line)
    return found


def kernels(image):
    """{kernel: Kernel} of one piece of machine code. shared: what is declared in the kernel, bytes; stack: bytes."""
    registers, shared, stack, threads, names, global_info = {}, {}, {}, {}, [], b""
    for name, content, length in sections(image.data):
        if name.startswith(".nv.shared."):
            shared[name[11:]] = length
        elif name == ".nv.info":
            global_info = content
        elif name.startswith(".nv.info."):
            for attribute, payload in _attributes(content):
                if attribute == ATTRIBUTE_MAX_THREADS:
                    x, y, z = struct.unpack("<III", payload)
                    threads[name[9:]] = x * y * z
        elif name == ".symtab":
            names = [struct.unpack_from("<I", content, i)[0] for i in range(0, len(content), 24)]
        elif name == ".strtab":
            strings = content
    names = [strings[i:strings.index(b"\0", i)].decode() for i in names]
    for attribute, payload in _attributes(global_info):
        if attribute in (ATTRIBUTE_FRAME_SIZE, ATTRIBUTE_MIN_STACK_SIZE, ATTRIBUTE_REGISTERS):
            symbol, number = struct.unpack("<II", payload)
            of = registers if attribute == ATTRIBUTE_REGISTERS else stack
            of[names[symbol]] = max(number, of.get(names[symbol], 0))
    return {name: Kernel(registers[name], shared.get(name, 0), stack[name], most) for name, most in threads.items()}


def _attributes(data):
    at = 0
    while at < len(data):
        form, attribute, size = struct.unpack_from("<BBH", data, at)
        at += 4
        if form == WITH_SIZE:
            yield attribute, data[at:at + size]
            at += size
