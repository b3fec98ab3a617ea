// Keys of a device, made and signed as clients do (Matrix, Appendices, "Signing JSON"), for stories whose client has no crypto of its own.
import { generateKeyPairSync, sign } from "node:crypto";

const base64 = (bytes) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");

/** Canonical JSON of what has strings, integers and booleans only. */
function canonical(value) {
    if (Array.isArray(value)) return `[${value.map(canonical)}]`;
    if (value === null || typeof value !== "object") return JSON.stringify(value);
    return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)}}`;
}

const rawPublic = (pair) => base64(Buffer.from(pair.publicKey.export({ format: "jwk" }).x, "base64url"));

export class DeviceKeys {
    constructor(userId, deviceId) {
        Object.assign(this, { userId, deviceId, pair: generateKeyPairSync("ed25519"), made: 0 });
    }

    signed(object) {
        const signature = base64(sign(null, Buffer.from(canonical(object)), this.pair.privateKey));
        return { ...object, signatures: { [this.userId]: { [`ed25519:${this.deviceId}`]: signature } } };
    }

    /** A body of /keys/upload: the device's own and so many one-time keys. */
    upload(oneTime = 5) {
        const curve = () => rawPublic(generateKeyPairSync("x25519"));
        const one_time_keys = {};
        for (let i = 0; i < oneTime; ++i) one_time_keys[`signed_curve25519:K${this.made++}`] = this.signed({ key: curve() });
        const { userId: user_id, deviceId: device_id } = this;
        const keys = { [`ed25519:${device_id}`]: rawPublic(this.pair), [`curve25519:${device_id}`]: curve() };
        return { device_keys: this.signed({ user_id, device_id, algorithms: ["m.megolm.v1.aes-sha2"], keys }), one_time_keys };
    }
}
