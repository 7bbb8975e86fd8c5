/* Says before anything else whether this browser can do the work, and what to do where it cannot.
 *
 * A classic script in the language of 2009: it must run where modules do not. It carries its own few sentences in both
 * languages, because the dictionaries are modules. Where it finds a reason it marks the document with `data-unfit`, and
 * the page's modules stay still.
 */
(function () {
  var NEEDS = { chrome: 114, firefox: 125, safari: 17 };

  var TEXTS = {
    en: {
      old_title: 'This browser is too old',
      old_text:
        'Cordboard needs Google Chrome or Microsoft Edge ' + NEEDS.chrome + ', Firefox ' + NEEDS.firefox + ', or Safari ' +
        NEEDS.safari + ', or newer. Update the browser, or open this page in another one.',
      webrtc_title: 'This browser cannot carry calls',
      webrtc_text:
        'WebRTC or access to the microphone is missing or switched off. Allow it in the browser\'s settings or ask your ' +
        'administrator; Google Chrome ' + NEEDS.chrome + ' or newer has it.',
      insecure_title: 'This page was not opened over https',
      insecure_text: 'Browsers give a page the microphone only over https. Open this address instead:',
      stalled_title: 'The page did not load',
      stalled_text: 'Parts of it could not be fetched from the server. Check the network and load the page again.'
    },
    zh: {
      old_title: '浏览器版本过低',
      old_text:
        'Cordboard 需要 Google Chrome 或 Microsoft Edge ' + NEEDS.chrome + '、Firefox ' + NEEDS.firefox + '、Safari ' +
        NEEDS.safari + ' 或更高版本。请升级浏览器，或换用其他浏览器打开本页。',
      webrtc_title: '此浏览器无法进行语音通话',
      webrtc_text:
        '浏览器缺少或停用了 WebRTC 或麦克风访问。请在浏览器设置中允许，或联系管理员；也可使用 Google Chrome ' +
        NEEDS.chrome + ' 或更高版本。',
      insecure_title: '请使用 https 打开本页',
      insecure_text: '浏览器只允许 https 页面使用麦克风。请改用以下地址：',
      stalled_title: '页面未能加载',
      stalled_text: '部分内容无法从服务器获取。请检查网络后重新加载页面。'
    }
  };

  function language() {
    var asked = /[?&]lang=(en|zh)(&|$)/.exec(location.search);
    var kept = null;
    try {
      kept = localStorage.getItem('cordboard.lang');
    } catch (e) {
      kept = null; // storage may be forbidden; the browser's language is good enough here
    }
    var told = (asked && asked[1]) || kept || navigator.language || navigator.browserLanguage || 'en';
    return /^zh/i.test(told) ? 'zh' : 'en';
  }

  function reason() {
    var modern =
      'noModule' in document.createElement('script') &&
      typeof Promise !== 'undefined' &&
      window.CSS && CSS.supports && CSS.supports('color', 'color-mix(in srgb, red, blue)') &&
      'popover' in document.createElement('div');
    if (!modern) return 'old';
    if (window.isSecureContext === false) return 'insecure';
    var media = navigator.mediaDevices;
    if (!window.RTCPeerConnection || !media || !media.getUserMedia || !window.WebSocket) return 'webrtc';
    return '';
  }

  function add(parent, tag, text) {
    var element = document.createElement(tag);
    element.appendChild(document.createTextNode(text));
    parent.appendChild(element);
    return element;
  }

  function tell(why) {
    var texts = TEXTS[language()];
    document.documentElement.setAttribute('data-unfit', why);
    document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en';
    var box = document.createElement('div');
    box.className = 'unfit';
    box.setAttribute('role', 'alert');
    add(box, 'h1', texts[why + '_title']);
    add(box, 'p', texts[why + '_text']);
    if (why === 'insecure') {
      var address = 'https://' + location.host + location.pathname + location.search;
      add(add(box, 'p', ''), 'a', address).setAttribute('href', address);
    }
    document.body.insertBefore(box, document.body.firstChild);
  }

  function ready(act) {
    if (document.body) act();
    else document.addEventListener('DOMContentLoaded', act);
  }

  var why = reason();
  if (why) {
    document.documentElement.setAttribute('data-unfit', why);
    ready(function () { tell(why); });
    return;
  }
  // Modules that cannot be fetched fail silently; `data-started` is set by app.js.
  window.setTimeout(function () {
    if (!document.documentElement.getAttribute('data-started')) tell('stalled');
  }, 15000);
})();
