#include "data/reader/message.h"

#include "src/json.h"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <concepts>
#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace nowcell {

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

// Fields into JSON. plain: as JSON has them; bytes: any text; text: for people; runs: many of few values; bits: any
// double.
struct Write {
    template <typename T>
    void plain(const char* name, const T& value) {
        json[name] = value;
    }
    void bytes(const char* name, const std::string& value) { json[name] = hex(value); }
    void text(const char* name, const std::string& value) { json[name] = as_utf8(value); }
    void runs(const char* name, const std::vector<std::int64_t>& values) { json[name] = run_lengths(values); }
    void bits(const char* name, double value) {
        json[name] = hex({reinterpret_cast<const char*>(&value), sizeof value});
    }

    Json json;
};

// And out of it.
struct Read {
    template <typename T>
    void plain(const char* name, T& value) const {
        json.at(name).get_to(value);
    }
    void bytes(const char* name, std::string& value) const { value = from_hex(json.at(name)); }
    void text(const char* name, std::string& value) const { plain(name, value); }
    void runs(const char* name, std::vector<std::int64_t>& values) const { values = from_run_lengths(json.at(name)); }
    void bits(const char* name, double& value) const {
        const std::string stored = from_hex(json.at(name));
        if (stored.size() == sizeof value) std::memcpy(&value, stored.data(), sizeof value);
    }

    Json json;
};

// Either way; Options is SourceOptions or a const one.
template <typename Way, typename Options>
requires std::same_as<std::remove_const_t<Options>, SourceOptions>
void fields(Way& way, Options& options) {
    way.bytes("path", options.path);
    way.bytes("dataset", options.dataset);
    way.plain("layout", options.layout);
    way.plain("step_s", options.step_s);
    way.plain("rows", options.rows);
    way.plain("columns", options.columns);
    way.plain("limits", options.limits);
}

template <typename Way, typename Info>
requires std::same_as<std::remove_const_t<Info>, SourceInfo>
void fields(Way& way, Info& info) {
    way.bytes("path", info.path);
    way.bytes("dataset", info.dataset);
    way.plain("format", info.format);
    way.plain("layout", info.layout);
    way.plain("stored_type", info.stored_type);
    way.text("units", info.units);
    way.text("filters", info.filters);
    way.plain("stored_shape", info.stored_shape);
    way.plain("chunk_shape", info.chunk_shape);
    way.runs("frames", info.frames);
    way.plain("channels", info.channels);
    way.plain("height", info.height);
    way.plain("width", info.width);
    way.plain("scale", info.scale);
    way.plain("offset", info.offset);
    way.plain("has_fill", info.has_fill);
    way.bits("fill", info.fill);
    way.plain("step_s", info.step_s);
    way.text("start", info.start);
    way.text("calendar", info.calendar);
    way.plain("fingerprint", info.fingerprint);
    way.plain("channel_order", info.channel_order);
    way.plain("files", info.files);
    way.plain("breaks", info.breaks);
    way.plain("notes", info.notes);
    way.plain("first_row", info.first_row);
    way.plain("first_column", info.first_column);
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

std::string to_json(const SourceOptions& options) {
    Write out;
    fields(out, options);
    return text_of(out.json);
}

SourceOptions options_from_json(const std::string& text) {
    SourceOptions out;
    Read in{Json::parse(text)};
    fields(in, out);
    return out;
}

std::string to_json(const SourceInfo& info) {
    Write out;
    fields(out, info);
    return text_of(out.json);
}

SourceInfo info_from_json(const std::string& text) {
    SourceInfo out;
    Read in{Json::parse(text)};
    fields(in, out);
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
