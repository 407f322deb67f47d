#include "data/formats/npy_header.h"

#include "data/formats/checked.h"

#include <fmt/format.h>

#include <bit>
#include <cctype>
#include <map>
#include <optional>
#include <string_view>

namespace nowcell {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMostDimensions = 32;  // NumPy's own limit

// The dictionary of Python that a header is: quoted names, True and False, tuples of whole numbers.
class Parser {
 public:
    Parser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

    bool take(char wanted) {
        pass_spaces();
        if (at_ == text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }

    void expect(char wanted) {
        if (!take(wanted)) fail(fmt::format("expected '{}'", wanted));
    }

    std::string quoted() {
        const char quote = take('\'') ? '\'' : '"';
        if (quote == '"') expect('"');
        const std::size_t end = text_.find(quote, at_);
        if (end == std::string_view::npos || end - at_ > 64) fail("a name does not end");
        const std::string out(text_.substr(at_, end - at_));
        at_ = end + 1;
        return out;
    }

    bool boolean() {
        for (const bool value : {true, false}) {
            if (word(value ? "True" : "False")) return value;
        }
        fail("expected True or False");
    }

    std::vector<std::int64_t> tuple() {
        std::vector<std::int64_t> out;
        expect('(');
        while (!take(')')) {
            if (out.size() == kMostDimensions) fail(fmt::format("more than {} dimensions", kMostDimensions));
            out.push_back(number());
            if (take(',')) continue;
            expect(')');
            break;
        }
        return out;
    }

    bool at_end() {
        pass_spaces();
        return at_ == text_.size();
    }

    [[noreturn]] void fail(const std::string& why) const {
        refuse(path_, fmt::format("its NumPy header is malformed at character {}: {}", at_, why));
    }

 private:
    void pass_spaces() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    }

    bool word(std::string_view wanted) {
        pass_spaces();
        if (text_.substr(at_, wanted.size()) != wanted) return false;
        at_ += wanted.size();
        return true;
    }

    std::int64_t number() {
        pass_spaces();
        const std::size_t begin = at_;
        std::int64_t out = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            if (__builtin_mul_overflow(out, 10, &out) || __builtin_add_overflow(out, text_[at_] - '0', &out)) {
                fail("a size that is too large");
            }
        }
        if (at_ == begin) fail("expected a size");
        take('L');  // as Python 2 wrote
        return out;
    }

    std::string_view text_;
    std::string path_;
    std::size_t at_ = 0;
};

[[noreturn]] void refuse_type(const std::string& descr, const std::string& path) {
    const char kind = descr.size() > 1 ? descr[1] : '?';
    static const std::map<char, std::string> others = {{'O', "Python objects, which can run code"},
                                                       {'c', "complex numbers"},
                                                       {'S', "text"},
                                                       {'a', "text"},
                                                       {'U', "text"},
                                                       {'V', "structures"},
                                                       {'M', "dates"},
                                                       {'m', "time spans"}};
    const auto found = others.find(kind);
    const std::string held = found == others.end() ? fmt::format("numbers of type '{}'", descr) : found->second;
    refuse(path, fmt::format("it holds {}: not read", held),
           "expected bool, integers of 8 to 64 bits, or floats of 16 to 64 bits: save it with array.astype('float32')");
}

void set_type(const std::string& descr, const std::string& path, NpyHeader& header) {
    static const std::map<std::string, StoredType> known = {
        {"b1", StoredType::u8},  {"u1", StoredType::u8},  {"i1", StoredType::i8},  {"u2", StoredType::u16},
        {"i2", StoredType::i16}, {"u4", StoredType::u32}, {"i4", StoredType::i32}, {"u8", StoredType::u64},
        {"i8", StoredType::i64}, {"f2", StoredType::f16}, {"f4", StoredType::f32}, {"f8", StoredType::f64}};
    const std::string orders = "<>|=";
    const auto found = known.find(descr.size() == 3 ? descr.substr(1) : "");
    if (found == known.end() || orders.find(descr[0]) == std::string::npos) refuse_type(descr, path);
    constexpr char kOther = std::endian::native == std::endian::little ? '>' : '<';
    header.array.type = found->second;
    header.array.swapped = descr[0] == kOther && size_of(found->second) > 1;
    header.type = found->first == "b1" ? "bool" : to_string(found->second);
}

void parse_dictionary(std::string_view text, const std::string& path, NpyHeader& header) {
    Parser parser(text, path);
    std::optional<std::string> descr;
    std::optional<bool> fortran;
    std::optional<std::vector<std::int64_t>> shape;
    parser.expect('{');
    while (!parser.take('}')) {
        const std::string key = parser.quoted();
        parser.expect(':');
        if (key == "descr" && !descr) {
            if (parser.take('[')) refuse_type("|V", path);
            descr = parser.quoted();
        } else if (key == "fortran_order" && !fortran) {
            fortran = parser.boolean();
        } else if (key == "shape" && !shape) {
            shape = parser.tuple();
        } else {
            parser.fail(fmt::format("unexpected or repeated key '{}'", key));
        }
        if (parser.take(',')) continue;
        parser.expect('}');
        break;
    }
    if (!parser.at_end()) parser.fail("something follows the dictionary");
    if (!descr || !fortran || !shape) parser.fail("expected the keys descr, fortran_order and shape");
    set_type(*descr, path, header);
    header.array.fortran = *fortran;
    header.array.shape = *shape;
}

std::int64_t little_endian(std::span<const char> bytes) {
    std::int64_t out = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) out = out << 8 | static_cast<unsigned char>(bytes[i]);
    return out;
}

}  // namespace

NpyHeader parse_npy_header(std::span<const char> start, std::int64_t file_bytes, const std::string& path) {
    if (start.size() < 10 || std::string_view(start.data(), kMagic.size()) != kMagic) {
        refuse(path, "it does not begin as a NumPy file does");
    }
    const int version = start[6];
    if (version < 1 || version > 3 || start[7] != 0) {
        refuse(path, fmt::format("NumPy format version {}.{}, expected 1.0, 2.0 or 3.0", version, int{start[7]}));
    }
    const std::size_t prefix = version == 1 ? 10 : 12;
    if (start.size() < prefix) refuse(path, "the file is truncated in its header");
    const std::int64_t length = little_endian(start.subspan(8, prefix - 8));
    if (length > static_cast<std::int64_t>(start.size() - prefix)) {
        refuse(path, fmt::format("a header of {} bytes, of which {} are there; expected at most {}", length,
                                 start.size() - prefix, kMostNpyHeader - 12));
    }
    NpyHeader header;
    parse_dictionary({start.data() + prefix, static_cast<std::size_t>(length)}, path, header);
    header.array.position = static_cast<std::int64_t>(prefix) + length;
    header.bytes = checked_product(header.array.shape, static_cast<std::int64_t>(size_of(header.array.type)));
    const std::int64_t there = file_bytes - header.array.position;
    if (header.bytes < 0) refuse(path, "a shape that is too large: " + shape_text(header.array.shape));
    if (header.bytes > there) {
        refuse(path,
               fmt::format("the file is truncated: got {} bytes behind its header, expected {} for {} of shape {}",
                           there, header.bytes, header.type, shape_text(header.array.shape)));
    }
    header.beyond = there - header.bytes;
    return header;
}

}  // namespace nowcell
