#include "data/reader/message.h"

#include "src/json.h"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace nowcell {

// The fields of both sides at once: nlohmann's macro writes and reads them by their names.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ReaderLimits, memory, request_s)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Problem, what, where, hint)

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

// Waits until the socket can be read.
Silence wait_for(int socket, Clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left < 0) return Silence::late;
        pollfd event{socket, POLLIN, 0};
        const int ready = ::poll(&event, 1, static_cast<int>(std::min<std::int64_t>(left + 1, 1 << 30)));
        if (ready > 0) return Silence::none;
        if (ready < 0 && errno != EINTR) return Silence::closed;
    }
}

Silence receive_bytes(int socket, char* into, std::size_t count, Clock::time_point deadline) {
    while (count > 0) {
        ssize_t got = ::recv(socket, into, count, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            const Silence silence = wait_for(socket, deadline);
            if (silence != Silence::none) return silence;
            continue;
        }
        if (got <= 0) return Silence::closed;
        into += got;
        count -= static_cast<std::size_t>(got);
    }
    return Silence::none;
}

// A source may hold a million recordings of one length.
Json run_lengths(const std::vector<std::int64_t>& values) {
    Json out = Json::array();
    for (std::size_t i = 0; i < values.size();) {
        std::size_t end = i;
        while (end < values.size() && values[end] == values[i]) ++end;
        out.push_back({values[i], end - i});
        i = end;
    }
    return out;
}

std::vector<std::int64_t> from_run_lengths(const Json& json) {
    constexpr std::size_t kMost = std::size_t{1} << 26;
    std::vector<std::int64_t> out;
    for (const Json& run : json) {
        const auto count = run.at(1).get<std::size_t>();
        if (count > kMost - out.size()) throw std::length_error("too many recordings");
        out.insert(out.end(), count, run.at(0).get<std::int64_t>());
    }
    return out;
}

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// A path may hold any bytes, JSON may not.
std::string hex(const std::string& bytes) {
    static const char* const digits = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        out += digits[static_cast<unsigned char>(c) >> 4];
        out += digits[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

std::string from_hex(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    return out;
}

}  // namespace

bool send_message(int socket, Say say, const std::string& body) {
    std::array<char, 9> head{};
    const std::uint64_t size = body.size();
    std::memcpy(head.data(), &size, sizeof size);
    head[8] = static_cast<char>(say);
    std::array<iovec, 2> parts = {{{head.data(), head.size()}, {const_cast<char*>(body.data()), body.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        auto left = static_cast<std::size_t>(sent);
        for (iovec& part : parts) {
            const std::size_t used = std::min(left, part.iov_len);
            part.iov_base = static_cast<char*>(part.iov_base) + used;
            part.iov_len -= used;
            left -= used;
        }
    }
    return true;
}

Silence receive_message(int socket, Message& message, std::size_t largest, Clock::time_point deadline) {
    std::array<char, 9> head{};
    Silence silence = receive_bytes(socket, head.data(), head.size(), deadline);
    if (silence != Silence::none) return silence;
    std::uint64_t size = 0;
    std::memcpy(&size, head.data(), sizeof size);
    if (size > largest) return Silence::closed;
    message.say = static_cast<Say>(head[8]);
    message.body.resize(size);
    return receive_bytes(socket, message.body.data(), size, deadline);
}

std::string to_json(const SourceOptions& o) {
    return text_of({{"path", hex(o.path)},
                    {"dataset", hex(o.dataset)},
                    {"layout", o.layout},
                    {"step_s", o.step_s},
                    {"rows", o.rows},
                    {"columns", o.columns},
                    {"limits", o.limits}});
}

SourceOptions options_from_json(const std::string& text) {
    const Json json = Json::parse(text);
    SourceOptions out;
    out.path = from_hex(json.at("path"));
    out.dataset = from_hex(json.at("dataset"));
    out.layout = json.at("layout");
    out.step_s = json.at("step_s");
    json.at("rows").get_to(out.rows);
    json.at("columns").get_to(out.columns);
    out.limits = json.at("limits");
    return out;
}

std::string to_json(const SourceInfo& i) {
    return text_of({{"path", hex(i.path)},
                    {"dataset", hex(i.dataset)},
                    {"format", i.format},
                    {"layout", i.layout},
                    {"stored_type", i.stored_type},
                    {"units", as_utf8(i.units)},
                    {"filters", as_utf8(i.filters)},
                    {"stored_shape", i.stored_shape},
                    {"chunk_shape", i.chunk_shape},
                    {"frames", run_lengths(i.frames)},
                    {"channels", i.channels},
                    {"height", i.height},
                    {"width", i.width},
                    {"scale", i.scale},
                    {"offset", i.offset},
                    {"has_fill", i.has_fill},
                    {"fill", hex({reinterpret_cast<const char*>(&i.fill), sizeof i.fill})},  // may be NaN
                    {"step_s", i.step_s},
                    {"start", as_utf8(i.start)},
                    {"calendar", as_utf8(i.calendar)},
                    {"fingerprint", i.fingerprint},
                    {"channel_order", i.channel_order},
                    {"files", i.files},
                    {"breaks", i.breaks},
                    {"notes", i.notes},
                    {"first_row", i.first_row},
                    {"first_column", i.first_column}});
}

SourceInfo info_from_json(const std::string& text) {
    const Json json = Json::parse(text);
    SourceInfo out;
    out.path = from_hex(json.at("path"));
    out.dataset = from_hex(json.at("dataset"));
    out.format = json.at("format");
    out.layout = json.at("layout");
    out.stored_type = json.at("stored_type");
    out.units = json.at("units");
    out.filters = json.at("filters");
    json.at("stored_shape").get_to(out.stored_shape);
    json.at("chunk_shape").get_to(out.chunk_shape);
    out.frames = from_run_lengths(json.at("frames"));
    out.channels = json.at("channels");
    out.height = json.at("height");
    out.width = json.at("width");
    out.scale = json.at("scale");
    out.offset = json.at("offset");
    out.has_fill = json.at("has_fill");
    const std::string fill = from_hex(json.at("fill"));
    if (fill.size() == sizeof out.fill) std::memcpy(&out.fill, fill.data(), sizeof out.fill);
    out.step_s = json.at("step_s");
    out.start = json.at("start");
    out.calendar = json.at("calendar");
    out.fingerprint = json.at("fingerprint");
    out.channel_order = json.at("channel_order");
    out.files = json.at("files");
    json.at("breaks").get_to(out.breaks);
    json.at("notes").get_to(out.notes);
    out.first_row = json.at("first_row");
    out.first_column = json.at("first_column");
    return out;
}

std::string to_json(const Error& error) {
    return text_of({{"code", static_cast<int>(error.code())}, {"problems", error.problems()}});
}

Error error_from_json(const std::string& text) {
    const Json json = Json::parse(text);
    const int code = json.at("code");
    const bool usage = code == static_cast<int>(ExitCode::usage);
    return {usage ? ExitCode::usage : ExitCode::data, json.at("problems").get<std::vector<Problem>>()};
}

}  // namespace nowcell
